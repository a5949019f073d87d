"""Random turns and random people: memory and Postgres must end the same, turn after turn."""

from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.base import Change, MentorDeleted, Outcome, Position
from tables.decisions import Decision
from tables.types import Award
from tests.contract.builders import Log, grant, promote, restore, revoke, stats_of, withdraw
from tests.contract.worlds import LET_GO, MemoryWorld, PostgresWorld
from tests.doubles.memory_sink import What

pytestmark = pytest.mark.anyio

MENTORS, DEFINITIONS = 2, 2
REFUSED: tuple[What, ...] = ("award", "event", "stats", "delete")
HOW = ("P0001", LET_GO)

Choice = tuple[str, int, int, int]
"""What to do, with which mentor, which definition, and which of the awards or refusals."""

DECIDED = ("grant", "promote", "revoke", "restore", "withdraw", "refused")
choices = st.tuples(
    st.sampled_from(DECIDED),
    st.integers(0, MENTORS - 1),
    st.integers(0, DEFINITIONS - 1),
    st.integers(0, 5),
)
deeds = st.tuples(
    st.sampled_from(
        ("give", "take", "delete", "leave", "return", "depart", "refuse", "accept", "retry")
    ),
    st.integers(0, MENTORS - 1),
    st.integers(0, DEFINITIONS - 1),
    st.integers(0, 7),
)
turns_of_a_story = st.lists(
    st.tuples(st.lists(deeds, max_size=2), st.lists(choices, max_size=6)), max_size=6
)


class Story:
    """The same things happening in one world, remembered as a fold would."""

    def __init__(self, world: MemoryWorld | PostgresWorld, log: Log) -> None:
        self.world = world
        self.log = log
        self.mentors: list[str] = []
        self.definitions: list[str] = []
        self.known: list[Award] = []
        self.present: set[str] = set()
        self.leaving: list[str] = []
        self.refused: set[tuple[What, str]] = set()

    def decision(self, place: int, choice: Choice) -> Decision | None:
        """Make a decision, on whatever award there ever was: beliefs may be out of date."""
        what, mentor, definition, which = choice
        cause = self.log.cause(place)
        if what in ("grant", "refused"):
            tier = "bronze" if what == "grant" else "bronze\x00"
            made = grant(cause, self.mentors[mentor], self.definitions[definition], tier=tier)
        elif not self.known:
            return None
        else:
            believed = self.known[which % len(self.known)]
            made = (
                promote(cause, believed, f"tier {which}")
                if what == "promote"
                else revoke(cause, believed)
                if what == "revoke"
                else withdraw(cause, believed)
                if what == "withdraw"
                else restore(cause, believed)
            )
        if what != "refused":
            self.known.append(made.after)
        return made

    async def deed(self, choice: Choice, new_id: str) -> None:
        """Let a person do something, where it is possible."""
        what, place, definition, which = choice
        mentor = self.mentors[place]
        if what == "leave" and mentor in self.present:
            self.present.discard(mentor)
            await self.world.delete_mentor(mentor)
        elif what == "return" and mentor not in self.present:
            self.present.add(mentor)
            await self.world.mentor(mentor)
        elif what == "depart":
            self.leaving.append(mentor)
        elif what in ("refuse", "accept"):
            refused = REFUSED[which % 4], HOW[which // 4]
            await self._change_mind(what, *refused, mentor, self.definitions[definition])
        elif what == "retry":
            position = Position(self.log.next_offset, self.log.number)
            await self.world.sink.retry(self.log.log_id, 0, position)
        elif mentor in self.present:
            await self._touch_award(what, mentor, self.definitions[definition], which, new_id)

    async def write(self, choices: Sequence[Choice]) -> Outcome:
        """Write a turn of these decisions, and stats of everybody."""
        decisions = [self.decision(place, choice) for place, choice in enumerate(choices)]
        turn = self.log.turn(
            *(decision for decision in decisions if decision),
            mentors_deleted=[MentorDeleted(mentor, self.log.cause(2)) for mentor in self.leaving],
            stats=[stats_of(mentor, self.log.number) for mentor in self.mentors],
        )
        self.leaving = []
        return await self.world.sink.write(turn)

    async def state(self) -> list[object]:
        """Everything that can be seen."""
        awards = await self.world.sink.awards(self.log.log_id, 0, self.mentors)
        events = [sorted(await self.world.events(m), key=msgspec.json.encode) for m in self.mentors]
        stats = [await self.world.stats(mentor) for mentor in self.mentors]
        position = await self.world.sink.position(self.log.log_id, 0)
        rows = [await self.world.rows(mentor) for mentor in self.mentors]
        # The order in which it waits counts within an award, and shows in what is written.
        waiting = [sorted(await self.world.waiting(mentor), key=str) for mentor in self.mentors]
        return [awards, events, stats, position, rows, waiting]

    async def _change_mind(
        self, does: str, what: What, how: str, mentor: str, definition: str
    ) -> None:
        """Refuse or accept, where that is something new."""
        how = LET_GO if what == "event" else how
        refused = what, definition if what in ("award", "event") else mentor
        if does == "refuse" and refused not in self.refused:
            self.refused.add(refused)
            await self.world.refuse(*refused, how)
        elif does == "accept" and refused in self.refused:
            self.refused.discard(refused)
            await self.world.accept(*refused)

    async def _touch_award(
        self, what: str, mentor: str, definition: str, which: int, new_id: str
    ) -> None:
        held = await self.world.rows(mentor)
        if what == "give" and all(award.badge_definition_id != definition for award in held):
            self.known.append(await self.world.award_by_hand(mentor, definition, new_id))
        elif held and what == "take":
            award = held[which % len(held)]
            if award.revoked_by is None:
                await self.world.revoke_by_hand(award.id)
        elif held and what == "delete":
            await self.world.delete_award(held[which % len(held)].id)


async def begin(world: MemoryWorld | PostgresWorld, log_id: str, ids: Sequence[str]) -> Story:
    log = await world.live_log(log_id=log_id)
    story = Story(world, log)
    story.mentors = [await world.mentor(one) for one in ids[:MENTORS]]
    story.definitions = [await world.definition(one) for one in ids[MENTORS:]]
    story.present = set(story.mentors)
    return story


def kinds(changes: Sequence[Change]) -> Counter[tuple[str, str]]:
    return Counter((change.kind, change.source) for change in changes)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(told=turns_of_a_story)
async def test_memory_and_postgres_agree(
    postgres_world: PostgresWorld, told: list[tuple[list[Choice], list[Choice]]]
) -> None:
    log_id, ids = str(uuid4()), [str(uuid4()) for _ in range(MENTORS + DEFINITIONS)]
    stories = [await begin(world, log_id, ids) for world in (MemoryWorld(), postgres_world)]
    for deeds_first, decided in told:
        for deed in deeds_first:
            new_id = str(uuid4())
            for story in stories:
                await story.deed(deed, new_id)
        outcomes = [await story.write(decided) for story in stories]
        memory, postgres = (
            (kinds(o.written), o.overtaken, o.gone, o.refused, kinds(o.accepted), o.waits)
            for o in outcomes
        )
        assert memory == postgres
        assert await stories[0].state() == await stories[1].state()
