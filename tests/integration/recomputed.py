"""What `badges replay` and `badges audit` say of a pipeline: that what was decided is right."""

import json
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

import asyncpg

from sinks.pool import Executor
from tests.integration.commands import Command, answer
from tests.integration.copies import emptied_copy
from tests.integration.pipeline import Pipeline
from tests.stack import LIMIT_S

_Rows: TypeAlias = Mapping[tuple[str, ...], dict[str, Any]]

_SET_ASIDE = ("id", "awarded_at", "revoked_at", "changed_by", "changed_xid", "dated_by")
"""What is not a function of the log: ids, instants, and who wrote what of the row, now replay."""


async def nothing_to_mend(p: Pipeline) -> None:
    """Fail unless replay would change nothing, and audit finds nothing."""
    replayed = await _replayed(p)
    assert (replayed["items"], replayed["unexplained"]) == ([], [])
    assert replayed["nothing_to_do"]
    limit = f"--limit={LIMIT_S:g}"
    code, out, err = await (await Command(p, "audit", "--json", limit).start()).end()
    assert code in (0, 1), out + err
    audited = json.loads(out)
    assert audited["findings"] == []
    assert (code, audited["ok"]) == (0, True)


async def _replayed(p: Pipeline) -> Any:
    """What a dry run says once the workers, some of whom were just killed, are as far as it is."""

    async def told() -> Any:
        code, out, err = await (await Command(p, "replay", "--json").start()).end()
        assert code == 0 or any(words in out for words in _NOT_YET), out + err
        return json.loads(out) if code == 0 else None

    return await p.until(told, 2 * LIMIT_S, "a replay that need not wait for the workers")


_NOT_YET = ("was not decided within", "not decided yet", "Kafka cannot be read")


async def replay_fills_a_copy(p: Pipeline, *, unsaid: Collection[str] = ()) -> None:
    """Fail unless replay makes the same awards and stats of a database that has lost them.

    `unsaid` are columns that the log does not say.
    """
    # What was written has to be back, or nobody ever decides it in the copy.
    await p.come_to_rest()
    before = await _awards(p.pool, unsaid), await _stats(p.pool)
    async with emptied_copy(p) as copy:
        applied = await answer(p, "replay", "--apply", BADGES_DATABASE_URL=copy)
        assert not applied["nothing_to_do"]
        again = await answer(p, "replay", BADGES_DATABASE_URL=copy)
        assert again["nothing_to_do"], again
        connection = await asyncpg.connect(copy)
        try:
            after = await _awards(connection, unsaid), await _stats(connection)
            assert await connection.fetchval(_GRANTED_OTHERWISE) == []
        finally:
            await connection.close()
    for live, replayed in zip(before, after, strict=True):
        found = _differences(live, replayed)
        assert not found, "\n".join(map(str, found[:20]))


_GRANTED_OTHERWISE = """
SELECT array(
    SELECT a.id FROM badge_awards a LEFT JOIN badge_award_events e
        ON e.badge_award_id = a.id AND e.kind = 'granted'
    GROUP BY a.id HAVING count(e.id) <> 1)
"""
"""Awards without the one event of their grant, or with several."""


def _differences(live: _Rows, replayed: _Rows) -> list[tuple[Any, ...]]:
    """What is not the same: whose, the column, and both values."""
    return [
        (key, column, live.get(key, {}).get(column), replayed.get(key, {}).get(column))
        for key in sorted(live.keys() | replayed.keys())
        for column in live.get(key, {}).keys() | replayed.get(key, {}).keys()
        if live.get(key, {}).get(column) != replayed.get(key, {}).get(column)
    ]


async def _awards(connection: Executor, unsaid: Collection[str]) -> _Rows:
    # Of what people gave, the log has no evidence: it carries nothing that they may have written.
    rows = await connection.fetch(
        """
        SELECT (to_jsonb(a) - $1::text[] - CASE awarded_by WHEN 'rule' THEN '' ELSE 'evidence' END
            )::text AS row
        FROM badge_awards a
        """,
        [*_SET_ASIDE, *unsaid],
    )
    return _keyed(rows, "peer_mentor_id", "badge_definition_id")


async def _stats(connection: Executor) -> _Rows:
    rows = await connection.fetch(
        "SELECT (to_jsonb(s) - 'updated_at')::text AS row FROM peer_mentor_stats s"
    )
    return _keyed(rows, "peer_mentor_id")


def _keyed(rows: Collection[Any], *key: str) -> _Rows:
    found = [json.loads(row["row"]) for row in rows]
    return {tuple(row[name] for name in key): row for row in found}
