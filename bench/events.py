"""A mentor log as Debezium would write it: whole lives of mentors, in the order of commits."""

from collections.abc import Iterator
from random import Random
from uuid import UUID

from msgspec import Struct

from bench.definitions import ORGANIZATION

FIRST_DAY = 18993
"""2022-01-01, in days since 1970-01-01."""
TYPES = ("visit", "phone", "chat", "group", "email")
MINUTES = (None, 15, 30, 45, 60, 90)
RECENT = 20
"""So many of a mentor's last rows may still be corrected or deleted."""
LIFE = 200
"""Records a mentor."""


class Record(Struct, frozen=True):
    """One record, and the partition that it goes to."""

    partition: int
    key: bytes
    value: bytes


class _Mentor:
    """Somebody who is active twice in three days or so, and sometimes writes things down late."""

    def __init__(self, number: int, random: Random) -> None:
        self.id = str(UUID(int=(1 << 96) + number))
        self._random = random
        self._day = float(FIRST_DAY + random.randrange(700))
        self._pace = random.choice((0.5, 1.0, 1.5, 3.0, 7.0))
        self._rows: list[tuple[str, str, int]] = []

    def born(self) -> str:
        return f'{{"id":"{self.id}","organization_id":"{ORGANIZATION}","active":true'

    def next(self) -> tuple[str, str, str]:
        """The operation, the table and the columns of what happens next."""
        chance = self._random.random()
        if chance < 0.01:
            return "c", "training_completions", self._training()
        if chance < 0.013:
            return "c", "mentor_pauses", self._pause()
        if chance < 0.033 and self._rows:
            return "d", "activities", self._deletion()
        if chance < 0.063 and self._rows:
            return "u", "activities", self._correction()
        return "c", "activities", self._activity()

    def _activity(self) -> str:
        random = self._random
        self._day += random.random() * 2 * self._pace
        late = random.randrange(60) if random.random() < 0.05 else 0
        row = _new_id(random), random.choice(TYPES), int(self._day) - late
        self._rows.append(row)
        return self._columns(*row)

    def _correction(self) -> str:
        """Other minutes, mostly, and sometimes another day, of one of the last rows."""
        place = self._recent()
        row_id, kind, day = self._rows[place]
        if self._random.random() < 0.3:
            day -= self._random.randrange(1, 4)
            self._rows[place] = row_id, kind, day
        return self._columns(row_id, kind, day)

    def _deletion(self) -> str:
        row_id, _, _ = self._rows.pop(self._recent())
        return (
            f'{{"id":"{row_id}","peer_mentor_id":"{self.id}","activity_type":"",'
            '"activity_date":0,"duration_minutes":null'
        )

    def _recent(self) -> int:
        return self._random.randrange(max(0, len(self._rows) - RECENT), len(self._rows))

    def _columns(self, row_id: str, kind: str, day: int) -> str:
        minutes = self._random.choice(MINUTES)
        return (
            f'{{"id":"{row_id}","peer_mentor_id":"{self.id}","activity_type":"{kind}",'
            f'"activity_date":{day},"duration_minutes":{"null" if minutes is None else minutes}'
        )

    def _training(self) -> str:
        course = self._random.choice(("basic", "ethics", "listening"))
        return (
            f'{{"id":"{_new_id(self._random)}","peer_mentor_id":"{self.id}",'
            f'"course_code":"{course}","completed_on":{int(self._day)}'
        )

    def _pause(self) -> str:
        return (
            f'{{"id":"{_new_id(self._random)}","peer_mentor_id":"{self.id}",'
            f'"starts_on":{int(self._day)},"ends_on":{int(self._day) + 20}'
        )


def lives(count: int, partitions: int, seed: int = 1, life: int = LIFE) -> Iterator[Record]:
    """Yield `count` records of `count / life` mentors, who all live at the same time."""
    random = Random(seed)
    mentors = [_Mentor(number, random) for number in range(max(1, count // life))]
    for number, mentor in enumerate(mentors):
        yield _record(mentor, number % partitions, "c", "peer_mentors", mentor.born(), number)
    for place in range(len(mentors), count):
        number = random.randrange(len(mentors))
        mentor = mentors[number]
        yield _record(mentor, number % partitions, *mentor.next(), place)


def _record(
    mentor: _Mentor, partition: int, op: str, table: str, columns: str, place: int
) -> Record:
    lsn = 28_958_176 + 160 * place
    value = (
        f'{columns},"__deleted":"{"true" if op == "d" else "false"}","__op":"{op}",'
        f'"__table":"{table}","__source_ts_ms":{1795528486177 + place},'
        f'"__source_txId":{789 + place},"__source_lsn":{lsn},'
        f'"__source_sequence":"[\\"{lsn}\\",\\"{lsn}\\"]"}}'
    )
    return Record(partition, mentor.id.encode(), value.encode())


def _new_id(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128)))
