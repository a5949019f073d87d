"""Whether the turns of a partition were decided by the evaluator of this worker."""

from typing import Final

import structlog

from sinks.alerts import Alerts
from sinks.base import Sink
from streams.evaluator import FINGERPRINT
from streams.partition import Partition

EVALUATOR_CHANGED: Final = "evaluator_changed"

log = structlog.get_logger(__name__)


async def tell_of_change(sink: Sink, alerts: Alerts, state: Partition) -> None:
    """Open the alert that another evaluator has decided so far, if one has.

    It is asked before the first turn of a worker, which writes the worker's own in its place.
    Raises Unavailable.
    """
    before = await sink.evaluator(state.log_id, state.number)
    if state.turn == 0 or before in (None, FINGERPRINT):
        return
    log.warning(
        "another evaluator has decided so far",
        partition=state.number,
        before=before,
        now=FINGERPRINT,
    )
    await alerts.raise_alert(
        EVALUATOR_CHANGED,
        {
            "message": "this version of the worker decides by other code than the one before it: "
            "where a fault was mended, awards of before may differ from what it would decide. "
            "`badges replay` shows them, and changes nothing unless it is told to",
            "before": before,
            "now": FINGERPRINT,
        },
    )
