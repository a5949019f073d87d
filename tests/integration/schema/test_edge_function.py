"""The code of docs/supabase.md, run: the edge function, and the hook that fills the claims."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from sinks.pool import Connection
from tests.integration.schema.people import settle
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[3] / "docs" / "supabase.md"
NODE = Path(sys.executable).parent / "node"
KEY, SECRET = "the key of service_role", "the platform's secret"

RUN = """
import { readFileSync } from "node:fs";
let handle;
globalThis.Deno = { env: { get: (name) => process.env[name] }, serve: (f) => { handle = f; } };
await import("./index.ts");
for (const { secret, body } of JSON.parse(readFileSync(0, "utf8"))) {
  const answer = await handle(new Request("http://edge.test/course-passed", {
    method: "POST",
    headers: secret === null ? {} : { "x-courses-secret": secret },
    body: JSON.stringify(body),
  }));
  console.log(JSON.stringify({ status: answer.status, body: await answer.json() }));
}
"""
"""What Supabase's runtime does for a function, in Node: a few requests, one after the other."""

STATUSES = {"23503": 409, "22023": 400, "42501": 403}
"""PostgREST's, by SQLSTATE."""


def documented(language: str, beginning: str) -> str:
    """The page's piece of code in a language that begins like this."""
    pieces = re.findall(f"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [piece for piece in pieces if piece.startswith(beginning)]
    return str(found)


class Rest:
    """PostgREST's call of a function, as far as this one needs it, on a real database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    def answer(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        """Run the function with arguments by name, as service_role; its row as JSON."""
        self.requests.append((path, headers, body))
        function = path.removeprefix("/rest/v1/rpc/")
        return asyncio.run(self._call(function, body))

    async def _call(self, function: str, body: dict[str, Any]) -> tuple[int, Any]:
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute("SET ROLE service_role")
            claims = json.dumps({"role": "service_role"})
            await connection.execute("SELECT set_config('request.jwt.claims', $1, false)", claims)
            names = ", ".join(f"{name} => args.{name}" for name in body)
            types = ", ".join(
                f"{name} {'uuid' if name.endswith('_id') else TYPES[name]}" for name in body
            )
            row = await connection.fetchval(
                f"SELECT row_to_json(f) FROM json_to_record($1::text::json) AS args ({types}), "
                f"LATERAL {function}({names}) AS f",
                json.dumps(body),
            )
            return 200, json.loads(row)
        except asyncpg.PostgresError as error:
            status = STATUSES[str(error.sqlstate)]
            return status, {"code": error.sqlstate, "message": error.args[0], "hint": error.hint}
        finally:
            await connection.close()


TYPES = {"earned_at": "timestamptz", "evidence": "jsonb", "awarded_by": "text"}


@contextmanager
def serving(rest: Rest) -> Iterator[str]:
    """The interface at an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, said = rest.answer(self.path, headers, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(folder: Path, url: str, badge: UUID, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Let the page's function answer these requests."""
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "index.ts").write_text(documented("ts", "// supabase/functions"), encoding="utf-8")
    (folder / "run.js").write_text(RUN, encoding="utf-8")
    ended = subprocess.run(
        [NODE, "--disable-warning=ExperimentalWarning", "run.js"],
        cwd=folder,
        input=json.dumps(requests),
        env={
            "SUPABASE_URL": url,
            "SUPABASE_SERVICE_ROLE_KEY": KEY,
            "COURSES_SECRET": SECRET,
            "COURSES_BADGE_ID": str(badge),
        },
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


async def test_the_edge_function_awards_as_the_platform(
    supabase: Connection, empty_url: str, tmp_path: Path
) -> None:
    people = await settle(supabase)
    rest = Rest(empty_url)
    report = {"peer_mentor_id": str(people.mentor), "course": "basic"}
    stranger = {"peer_mentor_id": str(uuid4()), "course": "basic"}
    with serving(rest) as url:
        awarded, again, unknown, wrong, without = await asyncio.to_thread(
            run,
            tmp_path,
            url,
            people.definition,
            {"secret": SECRET, "body": report},
            {"secret": SECRET, "body": report},
            {"secret": SECRET, "body": stranger},
            {"secret": "another", "body": report},
            {"secret": None, "body": report},
        )
    row = await supabase.fetchrow("SELECT * FROM badge_awards")
    assert row is not None
    assert awarded == {
        "status": 200,
        "body": {"badge_award_id": str(row["id"]), "earned_on": str(row["earned_on"])},
    }
    assert again == awarded
    assert (row["peer_mentor_id"], row["awarded_by"]) == (people.mentor, "course platform")
    assert json.loads(row["evidence"])["course"] == "basic"
    assert unknown["status"] == 409
    assert "does not exist" in unknown["body"]["error"]
    assert (wrong["status"], without["status"]) == (401, 401)
    assert len(rest.requests) == 3
    path, headers, body = rest.requests[0]
    assert path == "/rest/v1/rpc/award_badge"
    assert (headers["apikey"], headers["authorization"]) == (KEY, f"Bearer {KEY}")
    assert headers["content-type"] == "application/json"
    assert body.keys() == {
        "peer_mentor_id", "badge_definition_id", "earned_at", "evidence", "awarded_by",
    }  # fmt: skip


async def test_the_hook_puts_organization_and_role_into_the_claims(supabase: Connection) -> None:
    people = await settle(supabase)
    user, stranger = uuid4(), uuid4()
    await supabase.execute("CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY)")
    await supabase.execute(
        "CREATE ROLE supabase_auth_admin; GRANT USAGE ON SCHEMA public TO supabase_auth_admin"
    )
    try:
        await supabase.execute(documented("sql", "CREATE TABLE public.members"))
        await supabase.execute("INSERT INTO auth.users VALUES ($1), ($2)", user, stranger)
        await supabase.execute(
            "INSERT INTO members VALUES ($1, $2, 'coordinator')", user, people.organization
        )
        told = [await filled(supabase, each) for each in (user, stranger)]
        for role in ("anon", "authenticated"):
            await supabase.execute(f"SET ROLE {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await supabase.execute("SELECT FROM members")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await supabase.execute("SELECT badges_access_token('{}')")
            await supabase.execute("RESET ROLE")
    finally:
        await supabase.execute(
            "RESET ROLE; DROP OWNED BY supabase_auth_admin; DROP ROLE supabase_auth_admin"
        )
    assert told == [
        {
            "provider": "email",
            "organization_id": str(people.organization),
            "role": "coordinator",
        },
        {"provider": "email"},
    ]


async def filled(db: Connection, user: UUID) -> dict[str, Any]:
    """What the hook makes of a user's app_metadata, as Supabase's Auth calls it."""
    event = {"user_id": str(user), "claims": {"app_metadata": {"provider": "email"}}}
    await db.execute("SET ROLE supabase_auth_admin")
    said = json.loads(await db.fetchval("SELECT badges_access_token($1)", json.dumps(event)))
    await db.execute("RESET ROLE")
    assert said["user_id"] == str(user)
    metadata: dict[str, Any] = said["claims"]["app_metadata"]
    return metadata


async def test_realtime_may_publish_the_events(supabase: Connection) -> None:
    await supabase.execute("CREATE PUBLICATION supabase_realtime")
    await supabase.execute(documented("sql", "ALTER PUBLICATION"))
    rows = await supabase.fetch(
        "SELECT tablename::text FROM pg_publication_tables WHERE pubname = 'supabase_realtime'"
    )
    assert [row["tablename"] for row in rows] == ["badge_award_events"]
