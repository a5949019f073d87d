"""The alerts that are open, for every test that looks at them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from sinks.alerts import OUTAGES
from tests.integration.pipeline import Pipeline
from tests.stack import LIMIT_S

OF_WAITING = (*OUTAGES, "log_unreachable", "nobody_works", "turn_stalled")
"""Alerts that a busy machine gives reason for, and that close by themselves."""

Detail = dict[str, Any]


async def open_alerts(
    p: Pipeline, kind: str | None = None, subject: str | None = None, *, but: Sequence[str] = ()
) -> list[tuple[str, Detail]]:
    """Kind and detail of all that is open, or of one kind or subject, oldest first."""
    rows = await p.pool.fetch(
        "SELECT kind, detail::text AS detail FROM badge_alerts WHERE resolved_at IS NULL "
        "AND kind = coalesce($1, kind) AND detail ->> 'subject' IS NOT DISTINCT FROM "
        "coalesce($2, detail ->> 'subject') AND kind <> ALL ($3) ORDER BY id",
        kind,
        subject,
        but,
    )
    return [(row["kind"], msgspec.json.decode(row["detail"], type=Detail)) for row in rows]


async def open_kinds(p: Pipeline, *, but: Sequence[str] = ()) -> list[str]:
    """The kind of each alert that is open."""
    return [kind for kind, _ in await open_alerts(p, but=but)]


async def alert(p: Pipeline, kind: str, subject: str | None = None) -> Detail | None:
    """What the newest open alert of a kind says."""
    found = await open_alerts(p, kind, subject)
    return found[-1][1] if found else None


async def told(
    p: Pipeline, kind: str, subject: str | None = None, seconds: float = LIMIT_S
) -> Detail:
    """Wait until there is such an alert; what it says."""
    what = f"the alert {kind} {subject or ''}"
    found: Detail = await p.until(partial(alert, p, kind, subject), seconds, what)
    return found


async def only(p: Pipeline, kind: str) -> str:
    """Wait until the one alert that is open is of this kind; its message.

    Another may come and go meanwhile: it is of a look that was under way, or was told late.
    """

    async def message() -> str | None:
        found = await open_alerts(p, but=OF_WAITING)
        return str(found[0][1]["message"]) if [each for each, _ in found] == [kind] else None

    said: str = await p.until(message, what=f"the alert {kind} alone")
    return said


async def all_closed(
    p: Pipeline, *kinds: str, subject: str | None = None, seconds: float = LIMIT_S
) -> None:
    """Return when no alert of these kinds is open, without kinds none at all."""

    async def closed() -> bool:
        return not any([await open_alerts(p, kind, subject) for kind in kinds or (None,)])

    await p.until(closed, seconds, f"the end of the alerts {kinds}")
