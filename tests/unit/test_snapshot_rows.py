"""A log does not start where a connector that began again is sending what it had sent before."""

import asyncio

import pytest

from streams.errors import SnapshotFailed
from streams.filling.snapshot_rows import FilledRows
from tests.builders import activity, mentor
from tests.doubles.memory_log import MemoryLog
from tests.records import Writer


def test_where_rows_are_sent_again_nothing_starts() -> None:
    async def test() -> None:
        writer = Writer(log := MemoryLog())
        writer.snapshot(mentor(), lsn=7)
        sent = [writer.put(activity(f"a{day}", day)) for day in range(1, 4)]
        for record in sent:
            writer.again(record)
        rows = FilledRows(log, 7, 1)
        found = []
        for end in range(len(log.records[0]) + 1):
            await rows.read([end])
            found.append(rows.is_sent_again)
        assert found == [False] * 5 + [True, True, False]

    asyncio.run(test())


def test_a_row_of_another_snapshot_is_refused() -> None:
    async def test() -> None:
        writer = Writer(log := MemoryLog())
        for lsn in (5, 6):
            writer.raw(b'{"__op":"r","__source_lsn":%d}' % lsn)
        rows = FilledRows(log, 5, 1)
        await rows.read([1])
        with pytest.raises(SnapshotFailed, match="begun again"):
            await rows.read([2])

    asyncio.run(test())
