"""Wrong use, as somebody meets it at the command line: one line, exit code 2, no traceback."""

import json
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from badges import settings
from badges.cli import commands
from tests.launcher import launch

ADDRESSED = ("migrate", "provision", "worker", "api", "dedupe", "demo", "prune")
MENTOR = "6a1c2f1e-5b0d-4a53-9d0a-2f5f1c9f7a11"
NOBODY = {
    "BADGES_DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:1/x",
    "BADGES_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "BADGES_CONNECT_URL": "http://127.0.0.1:1",
}


@dataclass(frozen=True)
class Ended:
    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class Shell:
    """An empty folder to run commands in, without any variable of ours."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def run(self, *words: str, **variables: str) -> Ended:
        """Run a command of `badges` in this process."""
        with self.monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            settings.load.cache_clear()
            code = commands.run(words)
        settings.load.cache_clear()
        output, errors = self.capture.readouterr()
        return Ended(code, output, errors)

    def launch(self, action: str, **variables: str) -> Ended:
        """Run the launcher, which make calls, in this process."""
        with self.monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            code = launch(patch, action)
        output, errors = self.capture.readouterr()
        return Ended(code, output, errors)

    def refusal(self, *words: str, **variables: str) -> str:
        """What a command says that ends at once, which is one line."""
        return the_line(self.run(*words, **variables))


def the_line(ended: Ended) -> str:
    """The one line of wrong use."""
    assert (ended.code, ended.output) == (2, ""), ended
    assert ended.errors.startswith("badges: ")
    assert ended.errors.count("\n") == 1, ended.errors
    return ended.errors


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    for name in os.environ:
        if name.startswith(("BADGES_", "STACK")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, monkeypatch, capsys)


def test_a_name_that_is_none_is_told(shell: Shell) -> None:
    assert "--name is empty" in shell.refusal("forget", MENTOR, "--name", " ")


@pytest.mark.parametrize("words", [("export", "kari"), ("forget", "kari")])
def test_a_mentor_is_an_id(shell: Shell, words: tuple[str, ...]) -> None:
    assert "valid UUID" in shell.refusal(*words)


@pytest.mark.parametrize("command", [*ADDRESSED, f"export {MENTOR}", f"forget {MENTOR}"])
def test_an_address_that_is_none_is_told_by_every_command(shell: Shell, command: str) -> None:
    line = shell.refusal(*command.split(), BADGES_DATABASE_URL="postgresql://w:s3cret/xq@db/x")

    assert line.startswith("badges: BADGES_DATABASE_URL: user name and password need percent-enc")
    assert "s3cret" not in line


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("BADGES_DATABASE_URL", "foo", "of the form postgresql://"),
        ("BADGES_DATABASE_URL", "postgresql://w:s3cret@xq@db/x", "percent-encoding"),
        ("BADGES_DATABASE_URL", "postgresql://w:s3cret#xq@db/x", "percent-encoding"),
        ("BADGES_DATABASE_URL", "postgresql://w:s3cret@db:99999/x", "port must be"),
        ("BADGES_KAFKA_BOOTSTRAP", "kafka:abc", "port must be"),
        ("BADGES_CONNECT_URL", "http://w:s3cret@connect:99999", "port must be"),
        ("BADGES_DATABASE_URL", "postgresql://w:s3cret@xq..local/x", "an empty part"),
        ("BADGES_KAFKA_BOOTSTRAP", "xq..local:9092", "an empty part"),
    ],
)
def test_an_address_that_is_none_is_told_without_a_word_of_it(
    shell: Shell, variable: str, value: str, said: str
) -> None:
    line = shell.refusal("migrate", **{variable: value})

    assert line.startswith(f"badges: {variable}: ")
    assert said in line
    assert "s3cret" not in line
    assert "xq" not in line


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"BADGES_JWT_SECRET": "s3cret"}, "BADGES_JWT_SECRET: it must have at least 32 bytes"),
        ({"BADGES_JWT_SECRET": ""}, "BADGES_JWT_SECRET: it must have at least 32 bytes"),
        (
            {"BADGES_JWT_SECRET": "-----BEGIN PUBLIC KEY-----\ns3cret"},
            "BADGES_JWT_SECRET: it is a key in PEM form",
        ),
        (
            {"BADGES_JWKS_URL": "https://u:s3cret@issuer.example/keys"},
            "BADGES_JWT_ISSUER: needed with BADGES_JWKS_URL",
        ),
        ({"BADGES_JWKS_URL": "file:///s3cret"}, "BADGES_JWKS_URL: it must be of the form"),
        ({"BADGES_JWT_AUDIENCE": ""}, "BADGES_JWT_AUDIENCE: "),
        ({"BADGES_JWT_ROLE_CLAIM": "app_metadata..role"}, "BADGES_JWT_ROLE_CLAIM: "),
        ({"BADGES_CORS_ORIGINS": "https://a.example,b.example"}, "BADGES_CORS_ORIGINS: "),
        ({"BADGES_CORS_ORIGINS": "https://a.example/page"}, "BADGES_CORS_ORIGINS: "),
        ({"BADGES_OPEN_NETWORKS": "10.0.0.0/8,everywhere"}, "BADGES_OPEN_NETWORKS: "),
        ({"BADGES_API_CONNECTIONS": "1"}, "BADGES_API_CONNECTIONS: "),
    ],
)
def test_what_the_api_cannot_check_callers_with(
    shell: Shell, given: dict[str, str], said: str
) -> None:
    line = shell.refusal("api", **given)

    assert line.startswith(f"badges: {said}")
    assert "s3cret" not in line


@pytest.mark.parametrize("words", [["dead-letters", "list"], ["provision"], ["api"], ["worker"]])
@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "BADGES_KAFKA_SASL_USERNAME and BADGES_KAFKA_SASL_PASSWORD: needed with "),
        ({"BADGES_KAFKA_SASL_USERNAME": "u"}, "BADGES_KAFKA_SASL_PASSWORD: needed with "),
        ({"BADGES_KAFKA_SASL_PASSWORD": "s3cret"}, "BADGES_KAFKA_SASL_USERNAME: needed with "),
    ],
)
def test_sasl_without_a_name_or_a_password(
    shell: Shell, words: list[str], given: dict[str, str], missing: str
) -> None:
    line = shell.refusal(*words, BADGES_KAFKA_SECURITY_PROTOCOL="SASL_SSL", **given)

    assert line == f"badges: {missing}BADGES_KAFKA_SECURITY_PROTOCOL=SASL_SSL\n"


@pytest.mark.parametrize("text", ["", "no certificate\n", "-----BEGIN CERTIFICATE-----\n"])
def test_authorities_that_are_none(shell: Shell, text: str) -> None:
    file = shell.folder / "ca.pem"
    file.write_text(text)

    line = shell.refusal("dead-letters", "list", BADGES_KAFKA_SSL_CAFILE=str(file))

    assert line == f"badges: BADGES_KAFKA_SSL_CAFILE: {file} holds no certificate in PEM form\n"


@pytest.mark.parametrize("command", ["migrate", "env", "provision"])
def test_a_settings_file_in_another_encoding(shell: Shell, command: str) -> None:
    (shell.folder / ".env").write_bytes("BADGES_PREFIX=blåbær\n".encode("latin-1"))

    assert ".env in this folder is not UTF-8. Save" in shell.refusal(command)
    assert ".env in this folder is not UTF-8" in the_line(shell.launch("up"))


@pytest.mark.parametrize("action", ["up", "down", "clean"])
def test_a_run_directory_that_is_a_file(shell: Shell, action: str) -> None:
    file = shell.folder / "file"
    file.write_text("mine")

    for place in (file, file / "below"):
        line = the_line(shell.launch(action, BADGES_RUN_DIR=str(place)))
        assert line.startswith(f"badges: BADGES_RUN_DIR: {place} ")
    assert file.read_text() == "mine"
    assert "BADGES_RUN_DIR: " in shell.refusal("env", BADGES_RUN_DIR=str(file))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="by design: Linux has such a place")
def test_a_run_directory_that_cannot_be_written(shell: Shell) -> None:
    line = the_line(shell.launch("up", BADGES_RUN_DIR="/proc/nowhere"))

    assert line.startswith("badges: BADGES_RUN_DIR: /proc/nowhere cannot be used: ")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("BADGES_DATABSE_URL", "BADGES_DATABASE_URL"),
        ("BADGE_PREFIX", "BADGES_PREFIX"),
        ("BADGES_CONECT_URL", "BADGES_CONNECT_URL"),
        ("BADGES_PORTBASE", "BADGES_PORT_BASE"),
    ],
)
def test_a_misspelt_variable_is_a_warning(shell: Shell, name: str, nearest: str) -> None:
    warning = f"badges: warning: {name} is not a setting: is {nearest} meant?\n"

    ended = shell.run("criteria", "schema", **{name: "x"})
    (shell.folder / ".env").write_text(f"{name}=x\nOTHER=y\n")
    in_a_file = shell.run("criteria", "schema")

    assert (ended.code, ended.errors) == (0, warning)
    assert (in_a_file.code, in_a_file.errors) == (0, warning)


def test_what_is_no_misspelling_is_left_alone(shell: Shell) -> None:
    ours = ("BADGES_CONNECT_DATABASE_USER", "BADGES_JWT_SECRET", "badges_api_url", "BADGES_CI")
    others = ("BADGES_ICONS", "BADGER_DEN", "DATABASE_URL", "API_PORT", "BADGES")

    ended = shell.run("--version", **dict.fromkeys((*ours, *others), "x"))

    assert (ended.code, ended.errors) == (0, "")


def test_the_version(shell: Shell) -> None:
    assert shell.run("--version").output == f"badges {version('badge-streams')}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["migrat"], "No such command 'migrat'. Did you mean 'migrate'? badges --help"),
        (
            ["migrate", "--chek"],
            "No such option: --chek (Possible options: --check, --help). badges",
        ),
        (["worker", "--metrics-port", "99999"], "'--metrics-port'"),
        (["worker", "--metrics-port", "many"], "'--metrics-port'"),
        (["criteria", "validate"], "'FILE'"),
        (["env", "surplus"], "surplus"),
    ],
)
def test_words_that_are_not_understood(shell: Shell, words: list[str], said: str) -> None:
    line = shell.refusal(*words)

    assert said in line
    assert "--help" in line


def test_a_command_without_words_is_its_help(shell: Shell) -> None:
    for words in ([], ["criteria"]):
        ended = shell.run(*words)
        assert ended.code == 2
        assert "Usage: badges" in ended.output + ended.errors


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        (["migrate", "--json"], {"BADGES_DATABASE_URL": "foo"}, "BADGES_DATABASE_URL: "),
        (
            ["migrate", "--check", "--json"],
            NOBODY,
            "Postgres at 127.0.0.1:1/x refuses the connection",
        ),
        (["provision", "--json"], NOBODY, "Postgres at 127.0.0.1:1/x refuses the connection"),
        (["dedupe", "--json"], NOBODY, "Postgres at 127.0.0.1:1/x refuses the connection"),
        (["env", "--json"], {}, "no local stack in "),
        (["criteria", "test", "--json", "none.json"], {}, "cannot read none.json"),
        (["criteria", "test", "--json", "--jsn", "x"], {}, "No such option: --jsn"),
    ],
)
def test_an_error_is_json_where_the_result_would_be(
    shell: Shell, words: list[str], variables: dict[str, str], said: str
) -> None:
    ended = shell.run(*words, **variables)

    assert (ended.code, ended.errors) == (2, "")
    told = json.loads(ended.output)
    assert set(told) == {"error", "hint"}
    assert told["error"].startswith(said)
    assert "s3cret" not in ended.output


def test_a_hint_is_apart_from_the_error(shell: Shell) -> None:
    told = json.loads(shell.run("env", "--json").output)

    assert told["hint"] == "Run `make up` first, or set BADGES_RUN_DIR"


def test_a_file_without_a_trial(shell: Shell) -> None:
    (shell.folder / "none.json").write_text("[]")

    line = shell.refusal("criteria", "test", "none.json")

    assert line == "badges: none.json holds no trial. docs/criteria.md has an example\n"


def test_doctor_tells_of_everybody_who_is_away_a_line_each(shell: Shell) -> None:
    ended = shell.run("doctor", "--json", **NOBODY)
    answer = json.loads(ended.output)
    away = {each["id"]: each["status"] for each in answer["checks"] if each["status"] != "ok"}
    assert (ended.code, answer["ok"]) == (1, False)
    assert away == {"postgres": "failed", "kafka": "failed", "connect": "failed"}
    assert set(answer["unasked"].values()) == {*away}
    assert "s3cret" not in ended.output


def test_doctor_does_not_begin_with_a_setting_that_is_wrong(shell: Shell) -> None:
    assert "BADGES_PARTITIONS" in shell.refusal("doctor", BADGES_PARTITIONS="many")
