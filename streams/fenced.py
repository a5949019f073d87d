"""Another live worker under this one's name in the group: how Kafka lets it be known.

Of two static members with one name the later takes the place of the earlier, which learns at its
next heartbeat that it is unknown, joins again, and takes the place of the later one; for ever.
"""

import aiokafka.errors
from aiokafka.errors import BrokerResponseError

TIMES = 3
"""Once is no proof: a machine that was suspended is unknown to the group afterwards too."""


class FencedInstanceId(BrokerResponseError):  # type: ignore[misc]
    """What Kafka says to a member whose name another has taken while both were joining."""

    errno = 82
    message = "FENCED_INSTANCE_ID"
    description = "Another member has joined the group under this static member's name."


# aiokafka takes the codes that it does not know for one unknown error.
aiokafka.errors.kafka_errors[FencedInstanceId.errno] = FencedInstanceId


class NameTaken(Exception):
    """Another live worker has this one's name, so they throw each other out."""


class Displaced:
    """Tells from a member's assignments when somebody else keeps taking its place.

    Every change in the group gives it a new generation. A member that is assigned its partitions
    again within the same one was replaced under its name, and has replaced the other.
    """

    def __init__(self, within: float) -> None:
        """`within` is in seconds: so close together the last TIMES replacements must be."""
        self._within = within
        self._generation = -1
        self._at: list[float] = []

    def assigned(self, generation: int, now: float) -> bool:
        """Note an assignment at `now` (monotonic seconds); whether the name is taken."""
        if generation != self._generation:
            self._generation = generation
            self._at.clear()
            return False
        self._at.append(now)
        return len(self._at) >= TIMES and now - self._at[-TIMES] <= self._within


def is_fenced(error: BaseException | None) -> bool:
    """Whether the error, or what caused it, is Kafka's word that the name is taken."""
    while error is not None:
        # aiokafka passes on what it does not expect as the text of another error.
        if isinstance(error, FencedInstanceId) or FencedInstanceId.__name__ in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
