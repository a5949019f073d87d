"""What a replay leaves behind that has found all awards to be what this evaluator decides."""

from functools import partial

import pytest
from pydantic import SecretStr

from badges.settings import Settings
from badges.upkeep import replaying
from sinks.pool import Connection, create_pool
from streams.evaluator import FINGERPRINT
from tests.integration.schema.test_pruning import GENERATION
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio


async def test_a_partition_in_which_nothing_happens_is_not_told_of_again(
    db: Connection, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A command gives Postgres five seconds, which a busy machine may need for something else.
    monkeypatch.setattr(replaying, "create_pool", partial(create_pool, connect_timeout=LIMIT_S))
    for number, state in ((1, "closed"), (2, "live")):
        await db.execute(GENERATION, number, state, False)
        await db.executemany(
            "INSERT INTO badge_log_positions (log_id, partition, next_offset, turn, evaluator) "
            "VALUES ('log-' || $1::int, $2, 7, 7, $3)",
            [(number, 0, "another"), (number, 1, None)],
        )
    await db.execute("INSERT INTO badge_alerts (kind) VALUES ('evaluator_changed')")

    await replaying.settle_change(Settings(_env_file=None, database_url=SecretStr(url)))

    found = await db.fetch(
        "SELECT log_id, evaluator FROM badge_log_positions ORDER BY log_id, partition"
    )
    assert [tuple(row) for row in found] == [
        ("log-1", "another"),
        ("log-1", None),
        ("log-2", FINGERPRINT),
        ("log-2", None),
    ]
    assert not await db.fetch("SELECT FROM badge_alerts WHERE resolved_at IS NULL")
