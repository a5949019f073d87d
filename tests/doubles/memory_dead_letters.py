"""Dead letters in a dict; `sinks.base.DeadLetters`."""

from collections.abc import Collection, Sequence

from sinks.base import DeadLetter
from sinks.dead_letters import key_of


class MemoryDeadLetters:
    """Letters in a dict by their key, the newest of each, as compaction leaves them."""

    def __init__(self) -> None:
        self.letters: dict[str, DeadLetter] = {}

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Keep the letters."""
        self.letters.update((key_of(letter), letter) for letter in letters)

    async def remove(self, keys: Collection[str]) -> None:
        """Forget the letters under these keys."""
        for key in keys:
            self.letters.pop(key, None)
