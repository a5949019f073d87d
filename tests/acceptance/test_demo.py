"""`badges demo` as a user runs it: it plays, it verifies, and it finds what somebody has spoilt."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from badges.demo import visit
from badges.starting import INTERRUPTED
from tests.acceptance.looking import opened, tab
from tests.integration.pipeline import Pipeline, Rig, pipeline
from tests.integration.serving import served
from tests.stack import LIMIT_S, Stack

PATIENCE_S = 480
SHORT = ("--plain", "--seconds", "3", "--seed", "acceptance", "--keep")
PATIENT = ("--limit", "180")
"""For awards, on a busy machine."""
LONG = ("--plain", "--seconds", "600", *PATIENT)
SOME = re.compile(r"^[1-9]")
HEEDING_CTRL_C = """
import signal

signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background ignore it
from badges.cli.main import main

main()
"""


class Demo:
    """The command, in an empty folder, against a pipeline of its own with one worker."""

    def __init__(self, stack: Stack, rig: Rig, folder: Path) -> None:
        self.rig = rig
        url = f"{stack.database_url.rpartition('/')[0]}/{rig.pipeline.site.database}"
        self.settings = {
            "BADGES_DATABASE_URL": url,
            "BADGES_KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
        }
        self.folder = folder

    def run(self, *options: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end, beside a worker: one whose session was lost has ended."""
        self.rig.pipeline.ensure_a_worker()
        return run_demo(self.folder, options, {**self.settings, **settings})

    def interrupt(self, sign: signal.Signals) -> int:
        """Send a long run a signal as soon as badges unlock; its exit code."""
        self.rig.pipeline.ensure_a_worker()
        process = subprocess.Popen(
            [sys.executable, "-c", HEEDING_CTRL_C, "demo", *LONG],
            env=surroundings(self.settings),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if " earned " in line:
                break
        process.send_signal(sign)
        rest, _ = process.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in rest
        assert " earned " in said[-1], "".join(said)
        return process.returncode

    def rows(self) -> int:
        """How many rows there are that a demo makes or causes."""
        tables = (
            "organizations peer_mentors activities training_completions mentor_pauses "
            "badge_definitions badge_awards badge_award_events"
        )
        return sum(int(self.execute(f"SELECT count(*) FROM {name}")[0]) for name in tables.split())

    def execute(self, statement: str) -> list[str]:
        """Run one statement as the owner; the first column of its rows."""

        async def work(pipe: Pipeline) -> list[str]:
            return [str(row[0]) for row in await pipe.pool.fetch(statement)]

        return self.rig.run(work)


COMMAND = (sys.executable, "-m", "badges.cli.main", "demo", *PATIENT)


def surroundings(settings: dict[str, str]) -> dict[str, str]:
    """This process's environment with other settings."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("BADGES_")}, **settings}


def run_demo(
    folder: Path, options: tuple[str, ...], settings: dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *options],
        env=surroundings(settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with pipeline(stack) as rig:
        rig.pipeline.ensure_a_worker()
        yield Demo(stack, rig, tmp_path_factory.mktemp("demo"))


def test_it_shows_in_the_dashboard_while_it_plays(demo: Demo, chromium: Path) -> None:
    with served(demo.rig.pipeline) as address, tab(chromium) as browser:
        unlocks = opened(browser, f"{address}/?lang=en").locator("#unlocks")
        expect(unlocks).to_have_text("0", timeout=1000 * LIMIT_S)
        playing = subprocess.Popen(
            [*COMMAND, *LONG],
            env=surroundings(demo.settings),
            cwd=demo.folder,
            stdout=subprocess.DEVNULL,
        )
        try:
            expect(unlocks).to_have_text(SOME, timeout=1000 * LIMIT_S)
            assert playing.poll() is None
        finally:
            playing.terminate()
            assert playing.wait(PATIENCE_S) == INTERRUPTED


def test_it_plays_shows_unlocks_and_proves_every_award(demo: Demo) -> None:
    done = demo.run(*SHORT)

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("verified: ")
    for kind in ("late", "corrected", "deleted", "moved", "two at once", "pause", "training"):
        assert [line for line in lines if f"  {kind:<11}  " in line], kind
    assert [line for line in lines if " earned " in line and line.endswith(" ms")]
    assert [line for line in lines if line.startswith("commit to award") and "p99" in line]


def test_a_second_run_is_played_by_new_people_and_can_be_read_by_programs(demo: Demo) -> None:
    before = int(demo.execute("SELECT count(*) FROM peer_mentors")[0])

    done = demo.run(*SHORT, "--json")

    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["verified"] is True
    assert told["differences"] == []
    assert told["latency_ms"]["count"] > 0
    assert told["latency_ms"]["p50"] <= told["latency_ms"]["p95"] <= told["latency_ms"]["p99"]
    after = int(demo.execute("SELECT count(*) FROM peer_mentors")[0])
    assert after - before == told["mentors_loaded"] + told["moments"]["newcomer"]
    assert told["awards"] == int(demo.execute("SELECT count(*) FROM badge_awards")[0])


def test_an_award_changed_behind_its_back_is_named(demo: Demo) -> None:
    # The owner's own change would be a person's act, which counts. In the worker's role nobody is
    # told of it: what the log brings back looks like the worker's own output.
    (award,) = demo.execute(
        """
        SELECT a.id FROM badge_awards a JOIN badge_definitions d ON d.id = a.badge_definition_id
        WHERE d.key = 'first-contact' AND a.revoked_by IS NULL AND NOT d.revocable LIMIT 1
        """
    )

    def spoil(change: str) -> None:
        demo.execute(
            f"""
            DO $$ BEGIN
                SET LOCAL ROLE badges_worker;
                UPDATE badge_awards SET {change} WHERE id = '{award}';
            END $$
            """
        )

    spoil("revoked_at = now(), revoked_by = 'rule'")
    try:
        wrong = demo.run("--plain", "--seconds", "0", "--keep")
    finally:
        spoil("revoked_at = NULL, revoked_by = NULL")
    mended = demo.run("--plain", "--seconds", "0", "--keep")

    (mentor,) = demo.execute(f"SELECT peer_mentor_id FROM badge_awards WHERE id = '{award}'")
    (name,) = demo.execute(f"SELECT display_name FROM peer_mentors WHERE id = '{mentor}'")
    assert (wrong.returncode, wrong.stderr) == (1, "")
    assert "not verified: 2 differences" in wrong.stdout
    difference = f"mentor {name} ({mentor}), badge First contact"
    assert difference in wrong.stdout
    assert "revoked_by should be nothing, is rule" in wrong.stdout
    assert mended.returncode == 0, mended.stdout


def test_a_git_history_is_played_without_addresses(demo: Demo, tmp_path: Path) -> None:
    repository = tmp_path / "library"
    make_repository(repository, commits=40)

    done = demo.run(*SHORT, "--git", str(repository))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("verified: ")
    home = "SELECT id FROM organizations WHERE slug = 'demo-git-library'"
    people = demo.execute(
        f"SELECT display_name FROM peer_mentors WHERE organization_id = ({home}) ORDER BY 1"
    )
    assert people == ["Ada", "grace"]
    assert demo.execute(
        f"""
        SELECT DISTINCT activity_type FROM activities a JOIN peer_mentors m
            ON m.id = a.peer_mentor_id WHERE m.organization_id = ({home}) ORDER BY 1
        """
    ) == ["commit", "docs", "feat", "fix"]
    assert demo.execute(
        f"""
        SELECT DISTINCT d.key FROM badge_awards a JOIN badge_definitions d
            ON d.id = a.badge_definition_id WHERE d.organization_id = ({home}) ORDER BY 1
        """
    )
    assert not demo.execute("SELECT id FROM peer_mentors WHERE display_name LIKE '%@%'")


def test_it_removes_what_it_and_earlier_ones_have_made(demo: Demo) -> None:
    assert demo.run("--plain", "--seconds", "0", "--keep").returncode == 0
    assert demo.rows() > 0

    done = demo.run("--plain", "--seconds", "1")

    assert (done.returncode, done.stderr) == (0, "")
    assert demo.rows() == 0


def test_a_killed_one_is_in_nobodys_way_and_the_next_removes_what_it_left(demo: Demo) -> None:
    assert demo.interrupt(signal.SIGKILL) == -signal.SIGKILL
    assert demo.rows() > 0

    done = demo.run("--plain", "--seconds", "1")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("verified: ")
    assert demo.rows() == 0


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_one_leaves_nothing(demo: Demo, sign: signal.Signals) -> None:
    assert demo.interrupt(sign) == INTERRUPTED
    assert demo.rows() == 0


def test_rows_of_others_are_refused_or_left_alone(demo: Demo) -> None:
    demo.execute("INSERT INTO organizations (slug, name) VALUES ('red-cross', 'Red Cross')")
    demo.execute(
        """
        INSERT INTO badge_definitions (key, name, description, criteria, status) VALUES ('theirs',
            'Theirs', '', '{"version": 1, "type": "threshold", "metric": "count", "at_least": 1}',
            'active')
        """
    )
    before = demo.rows()
    refused = [demo.run("--plain", "--seconds", "0")]
    among = demo.run("--plain", "--seconds", "0", "--among-others")
    left = demo.rows()
    demo.execute("DELETE FROM organizations")
    refused.append(demo.run("--plain", "--seconds", "0"))
    demo.execute("DELETE FROM badge_definitions")

    for done, whose in zip(refused, ("1 organization", "1 badge for everybody"), strict=True):
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert f"rows that are not the demo's: {whose}" in done.stderr
        assert "--among-others" in done.stderr
    assert (among.returncode, among.stderr) == (0, "")
    assert left == before


def test_two_do_not_play_at_once(demo: Demo) -> None:
    async def beside_another(pipe: Pipeline) -> "subprocess.CompletedProcess[str]":
        async with pipe.pool.acquire() as other:
            await other.execute(f"SELECT pg_advisory_lock({visit.LOCK})")
            try:
                return await asyncio.to_thread(demo.run, "--plain", "--seconds", "0")
            finally:
                await other.execute(f"SELECT pg_advisory_unlock({visit.LOCK})")

    before = demo.rows()
    done = demo.rig.run(beside_another)

    assert done.returncode == 2
    assert "another demo plays in this database" in done.stderr
    assert demo.rows() == before


def test_a_worker_that_does_not_keep_up_is_a_problem_with_its_name(demo: Demo) -> None:
    demo.rig.pipeline.end_workers()
    options = ("--plain", "--seconds", "0", "--limit", "5")
    # On a busy machine something before the worker may use up the five seconds, and is named then.
    for _ in range(4):
        done = run_demo(demo.folder, options, demo.settings)
        assert done.returncode != 0
        if "the worker has not caught up within 5 s" in done.stderr:
            break

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "the worker has not caught up within 5 s" in done.stderr


def test_where_nothing_answers_is_said_in_one_line(demo: Demo, tmp_path: Path) -> None:
    nowhere = "127.0.0.1:9"
    no_postgres = run_demo(
        tmp_path, ("--plain",), {"BADGES_DATABASE_URL": f"postgresql://postgres@{nowhere}/badges"}
    )
    no_kafka = demo.run("--plain", "--seconds", "0", BADGES_KAFKA_BOOTSTRAP=nowhere)
    no_repository = demo.run("--plain", "--git", str(tmp_path))

    for done, name in (
        (no_postgres, "BADGES_DATABASE_URL"),
        (no_kafka, "BADGES_KAFKA_BOOTSTRAP"),
        (no_repository, str(tmp_path)),
    ):
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert name in done.stderr


def make_repository(folder: Path, commits: int) -> None:
    """A repository of two authors, one of whom signs with an address."""
    subjects = ("feat: a shelf", "fix(shelf): straighten it", "docs: say so", "Tidy up")
    authors = (("Ada", "ada@example.org"), ("grace@example.org", "grace@example.org"))
    lines = []
    for number in range(commits):
        name, address = authors[number % 3 == 0]
        stamp = 1_750_000_000 + 40_000 * number
        subject = subjects[number % len(subjects)]
        lines.append(
            f"commit refs/heads/main\nmark :{number + 1}\n"
            f"author {name} <{address}> {stamp} +0200\n"
            f"committer Somebody <somebody@example.org> {stamp} +0200\n"
            f"data {len(subject)}\n{subject}\n"
        )
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder)], check=True)
    subprocess.run(
        ["git", "-C", str(folder), "fast-import", "--quiet"],
        input="\n".join(lines).encode(),
        check=True,
    )
