"""Which causes of a connector will come again."""

import pytest

from streams.errors import Failure
from streams.filling.connector_startup import Causes
from streams.log.connect import ConnectorStatus

TOO_LARGE = (
    "org.apache.kafka.common.errors.RecordTooLargeException: The message is 1200426 bytes when "
    "serialized which is larger than 1048576"
)


def test_what_cannot_pass_is_refused_at_once_with_its_cause() -> None:
    with pytest.raises(Failure, match=r"c-1 fails, and will again: .*RecordTooLarge") as refused:
        Causes().refuse("c-1", TOO_LARGE)
    assert refused.value.code == 1


def test_what_may_pass_is_refused_when_it_comes_again_under_other_numbers() -> None:
    causes = Causes()
    causes.refuse("c-1", "PSQLException: slot c_1 is active for PID 77")
    causes.refuse("c-1", "PSQLException: the server is shutting down")

    with pytest.raises(Failure, match="c-2 fails, and will again"):
        causes.refuse("c-2", "PSQLException: slot c_2 is active for PID 1234")


@pytest.mark.parametrize(
    ("state", "tasks", "running"),
    [
        ("RUNNING", ("RUNNING",), True),
        ("RUNNING", (), False),
        ("RUNNING", ("FAILED",), False),
        ("RUNNING", ("RUNNING", "UNASSIGNED"), False),
        ("PAUSED", ("RUNNING",), False),
    ],
)
def test_a_connector_runs_when_all_of_it_does(
    state: str, tasks: tuple[str, ...], running: bool
) -> None:
    assert ConnectorStatus(state, tasks).running == running
