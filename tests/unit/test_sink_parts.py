"""The parts of the sinks that need no store."""

import asyncio
from itertools import pairwise

import asyncpg
import pytest

from sinks.base import MentorDeleted, Turn
from sinks.errors import Refused, Unavailable
from sinks.failures import Refusal, refusal_of, translated
from sinks.queries import QUERIES, parse
from sinks.snapshots import unfinished
from sinks.turns import once_written, outdated, transactions, waves
from tests.contract.builders import Log, grant, promote, revoke

EPOCH = 2**32


def test_blocks_of_sql_are_found_by_name() -> None:
    text = "-- about the file\n\n-- name: one\nSELECT 1;\n\n-- about two\n-- name: two\nSELECT 2;\n"
    assert parse(text) == {"one": "SELECT 1", "two": "SELECT 2"}


def test_a_block_may_include_an_earlier_one() -> None:
    text = (
        "-- name: part\nUPDATE t\n\n-- name: whole\nWITH a AS (\n    -- include: part\n) SELECT;\n"
    )
    assert parse(text)["whole"] == "WITH a AS (\nUPDATE t\n) SELECT"


def test_two_blocks_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="one"):
        parse("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;\n")


def test_every_statement_is_whole() -> None:
    assert {"position", "open_turn", "decide", "write_stats_turn"} <= set(QUERIES)
    for name, statement in QUERIES.items():
        assert "include:" not in statement, name
        assert ";" not in statement, name


@pytest.mark.parametrize(
    ("xids", "expected"),
    [
        ([], []),
        ([50], []),  # below xmin: over
        ([100, 103], [100, 103]),  # in progress
        ([101, 102], []),  # between, and not in the list: over
        ([110, 111], [110, 111]),  # begun after the newest that was over
        ([103, 101, 103], [103]),
    ],
)
def test_what_a_snapshot_shows_as_over(xids: list[int], expected: list[int]) -> None:
    assert unfinished(xids, "100:110:100,103", newest=120) == expected


def test_nothing_is_in_progress_in_a_quiet_snapshot() -> None:
    assert unfinished([99, 98], "100:100:", newest=100) == []


def test_an_id_without_its_epoch_is_the_newest_it_can_be() -> None:
    newest = 3 * EPOCH + 5
    snapshot = f"{3 * EPOCH - 10}:{newest}:{3 * EPOCH - 10},{3 * EPOCH + 2}"
    assert unfinished([2], snapshot, newest) == [3 * EPOCH + 2]
    assert unfinished([EPOCH - 10], snapshot, newest) == [3 * EPOCH - 10]
    assert unfinished([3 * EPOCH + 2], snapshot, newest) == [3 * EPOCH + 2]
    assert unfinished([6], snapshot, newest) == []  # long ago, or from another database


async def failing(error: type[Exception]) -> None:
    with translated():
        raise error("no")


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.NumericValueOutOfRangeError,
        asyncpg.CheckViolationError,
        asyncpg.UntranslatableCharacterError,
        asyncpg.RaiseError,
        asyncpg.ProgramLimitExceededError,
    ],
)
def test_errors_that_blame_the_data(error: type[asyncpg.PostgresError]) -> None:
    with pytest.raises(Refused, match=str(error.sqlstate)):
        asyncio.run(failing(error))


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.SerializationError,
        asyncpg.DeadlockDetectedError,
        asyncpg.LockNotAvailableError,
        asyncpg.TooManyConnectionsError,
        asyncpg.DiskFullError,
        asyncpg.AdminShutdownError,
        asyncpg.CannotConnectNowError,
        asyncpg.QueryCanceledError,
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.InsufficientPrivilegeError,
        asyncpg.UndefinedTableError,
        asyncpg.InternalServerError,
        asyncpg.InterfaceError,
        asyncpg.ConnectionDoesNotExistError,
        ConnectionResetError,
        TimeoutError,
    ],
)
def test_errors_after_which_the_turn_is_tried_again(error: type[Exception]) -> None:
    with pytest.raises(Unavailable):
        asyncio.run(failing(error))


def test_an_error_that_says_nothing_is_told_by_its_kind() -> None:
    async def test() -> None:
        with translated():
            raise TimeoutError

    with pytest.raises(Unavailable, match=r"does not answer: TimeoutError$"):
        asyncio.run(test())


def raised(error: type[asyncpg.PostgresError], **fields: str) -> asyncpg.PostgresError:
    """An error as it comes from the server."""
    made = error("no")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


TRIGGER = (
    "PL/pgSQL function public.app_says_no() line 3 at RAISE\n"
    'SQL statement "INSERT INTO public.badge_awards AS a (id) SELECT g.id"\n'
    'SQL function "grant_awards" statement 1'
)


@pytest.mark.parametrize(
    ("context", "by"),
    [
        (TRIGGER, "public.app_says_no()"),
        (
            'PL/pgSQL-Funktion app."Sagt nein"(integer) Zeile 3 bei RAISE',
            'app."Sagt nein"(integer)',
        ),
        ('PL/Python function "app_says_no"', "app_says_no"),
        ("PL/pgSQL function badges_private.stamp_award() line 9 at RAISE", None),
        ('SQL statement "SELECT app(1)"', None),
        ("", None),
    ],
)
def test_a_refusal_names_the_function_that_is_not_ours(context: str, by: str | None) -> None:
    refusal = refusal_of(raised(asyncpg.UndefinedFunctionError, context=context))
    assert refusal == Refusal("42883", "no", by, of_rows=by is not None)


def test_a_refusal_names_a_constraint() -> None:
    error = raised(asyncpg.CheckViolationError, constraint_name="short", table_name="badge_awards")
    assert refusal_of(error) == Refusal("23514", "no", "constraint short on badge_awards")


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.SerializationError,
        asyncpg.DeadlockDetectedError,
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.DiskFullError,
        asyncpg.TooManyConnectionsError,
        asyncpg.AdminShutdownError,
        asyncpg.InvalidAuthorizationSpecificationError,
    ],
)
def test_trouble_of_the_server_refuses_no_row(error: type[asyncpg.PostgresError]) -> None:
    assert refusal_of(raised(error, context=TRIGGER)) is None


def test_an_award_is_as_it_will_be_once_what_waits_is_written() -> None:
    log = Log("log")
    granted = grant(log.cause(0), "m", "d", tier="a")
    promoted = promote(log.cause(1), granted.after, "b")
    revoked = revoke(log.cause(2), promoted.after)
    pair = "m", "d"
    assert once_written([], [granted, promoted, revoked]) == {pair: revoked.after}
    assert once_written([granted.after], [promoted]) == {pair: promoted.after}
    assert once_written([granted.after], [MentorDeleted("m", log.cause())]) == {}
    theirs = grant(log.cause(9), "m", "d").after
    theirs.changed_by = "anna"
    assert once_written([theirs], [granted, promoted]) == {pair: theirs}
    assert once_written([theirs], [MentorDeleted("m", log.cause())]) == {pair: theirs}


def test_waves_keep_the_order_of_each_award() -> None:
    log = Log("log")
    first = grant(log.cause(0), "m", "d", tier="a")
    other = grant(log.cause(1), "n", "d")
    second = promote(log.cause(2), first.after, "b")
    third = revoke(log.cause(3), second.after)
    parts = waves([first, other, second, third])
    assert parts == [[first, other], [second], [third]]
    for earlier, later in pairwise(parts):
        assert {d.after.id for d in later} <= {d.after.id for d in earlier}
    assert waves([]) == []


def test_decisions_before_a_mentors_delete_are_outdated() -> None:
    log = Log("log", next_offset=100)
    before, at_it = log.cause(4), log.cause(5)
    decisions = [
        grant(before, "m", "a"),
        grant(log.cause(5, by_version=True), "m", "b"),
        grant(at_it, "m", "c"),
        grant(log.cause(6), "m", "d"),
        grant(before, "n", "a"),
    ]
    turn = log.turn(
        *decisions, mentors_deleted=[MentorDeleted("m", log.cause(2)), MentorDeleted("m", at_it)]
    )
    assert outdated(turn) == decisions[:2]


def test_a_turn_knows_its_transactions() -> None:
    log = Log("log")
    turn = Turn(
        "log",
        0,
        0,
        0,
        9,
        mentors_deleted=[MentorDeleted("m", log.cause(xid=3))],
        decisions=[grant(log.cause(xid=2), "m", "d"), grant(log.cause(), "n", "d")],
        xids=[1],
    )
    assert transactions(turn) == {1, 2, 3}
