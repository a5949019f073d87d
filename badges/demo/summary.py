"""What a run of the demo comes to: as text for people, and as JSON."""

import json
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from badges.demo.run import Finished, named

_MOST_SHOWN = 20


def as_text(finished: Finished) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="grey58")
    table.add_column()
    for name, text in _lines(finished):
        table.add_row(name, text)
    first, *rest = _verdict(finished)
    style = "bold red3" if finished.verified.mismatches else "bold sea_green2"
    return Padding(Group(table, Text(first, style), *map(Text, rest)), (1, 1))


def as_lines(finished: Finished) -> list[str]:
    return [f"{name:<16} {text}" for name, text in _lines(finished)] + _verdict(finished)


def _lines(finished: Finished) -> list[tuple[str, str]]:
    tally = finished.tally
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.moments.items()))
    lines = [
        ("run", f"{finished.run}: {finished.mentors} mentors with {finished.loaded} rows loaded"),
        ("played", f"{tally.saves} saves ({kinds})" if tally.saves else "nothing"),
        ("awards", f"{finished.verified.awards}, {_unlocks(finished)} while you watched"),
    ]
    if latency := tally.latency:
        lines.append(
            (
                "commit to award",
                f"p50 {latency.p50:.0f} ms, p95 {latency.p95:.0f} ms, p99 {latency.p99:.0f} ms "
                f"({latency.count} unlocks)",
            )
        )
    if reach := tally.reach:
        lines.append(
            ("new badge", f"{reach.badge} reached {reach.mentors} mentors in {reach.last:.0f} ms")
        )
    return lines


def _unlocks(finished: Finished) -> str:
    counts = finished.tally.unlocks
    return ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts)) or "none"


def _verdict(finished: Finished) -> list[str]:
    verified = finished.verified
    if not verified.mismatches:
        return [
            f"verified: {verified.records} records of the log read again by brute force; "
            f"{verified.awards} awards of {verified.mentors} mentors, their events and "
            "statistics are exactly what the rules say"
        ]
    count = len(verified.mismatches)
    shown = [named(each, finished.directory) for each in verified.mismatches[:_MOST_SHOWN]]
    more = [f"and {count - _MOST_SHOWN} more"] if count > _MOST_SHOWN else []
    return [f"not verified: {count} differences", *shown, *more]


def as_json(finished: Finished) -> str:
    """The summary as a JSON object; latencies in milliseconds."""
    tally, verified = finished.tally, finished.verified
    document: dict[str, Any] = {
        "run": finished.run,
        "mentors_loaded": finished.mentors,
        "rows_loaded": finished.loaded,
        "saves": tally.saves,
        "moments": dict(tally.moments),
        "unlocks": dict(tally.unlocks),
        "latency_ms": asdict(tally.latency) if tally.latency else None,
        "new_badge": asdict(tally.reach) if tally.reach else None,
        "verified": not verified.mismatches,
        "records": verified.records,
        "mentors": verified.mentors,
        "awards": verified.awards,
        "differences": [asdict(mismatch) for mismatch in verified.mismatches],
    }
    return json.dumps(document, indent=2)
