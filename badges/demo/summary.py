"""What a run of the demo comes to: as text for people, and as JSON."""

import json
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from badges.demo.run import Finished
from badges.demo.tally import Tally

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
    loaded = f"{len(finished.world.mentors)} mentors with {finished.world.size} rows loaded"
    lines = [
        ("run", f"{finished.run}: {loaded}"),
        ("played", f"{tally.saves} saves ({kinds})" if tally.saves else "nothing"),
        ("awards", f"{finished.verified.awards}, {_unlocks(finished)} while you watched"),
    ]
    if tally.latencies:
        shares = ", ".join(f"{name} {value:.0f} ms" for name, value in _percentiles(tally))
        lines.append(("commit to award", f"{shares} ({len(tally.latencies)} unlocks)"))
    if tally.reached:
        reached = f"{tally.switched_on} reached {len(tally.reached)} mentors"
        lines.append(("new badge", f"{reached} in {max(tally.reached):.0f} ms"))
    return lines


def _percentiles(tally: Tally) -> list[tuple[str, float]]:
    return [(f"p{share}", tally.latency(share / 100)) for share in (50, 95, 99)]


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
    shown = [finished.directory.mismatch(each) for each in verified.mismatches[:_MOST_SHOWN]]
    more = [f"and {count - _MOST_SHOWN} more"] if count > _MOST_SHOWN else []
    return [f"not verified: {count} differences", *shown, *more]


def as_json(finished: Finished) -> str:
    """The summary as a JSON object; latencies in milliseconds."""
    tally, verified = finished.tally, finished.verified
    latency = new_badge = None
    if tally.latencies:
        latency = {"count": len(tally.latencies), **dict(_percentiles(tally))}
    if tally.reached:
        new_badge = {
            "badge": tally.switched_on,
            "mentors": len(tally.reached),
            "last": max(tally.reached),
        }
    document: dict[str, Any] = {
        "run": finished.run,
        "mentors_loaded": len(finished.world.mentors),
        "rows_loaded": finished.world.size,
        "saves": tally.saves,
        "moments": dict(tally.moments),
        "unlocks": dict(tally.unlocks),
        "latency_ms": latency,
        "new_badge": new_badge,
        "verified": not verified.mismatches,
        "records": verified.records,
        "mentors": verified.mentors,
        "awards": verified.awards,
        "differences": [asdict(mismatch) for mismatch in verified.mismatches],
    }
    return json.dumps(document, indent=2)
