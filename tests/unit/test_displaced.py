"""When a worker concludes that another one has its name in the group."""

from aiokafka.errors import KafkaError, UnknownError, for_code

from streams.static_member import Displaced, FencedInstanceId, name_is_taken


def test_kafkas_code_has_a_name() -> None:
    assert for_code(82) is FencedInstanceId
    assert for_code(-1) is UnknownError


def test_it_is_found_in_what_aiokafka_makes_of_it() -> None:
    passed_on = KafkaError("Unexpected error during coordination")
    passed_on.__cause__ = KafkaError(repr(FencedInstanceId()))

    assert name_is_taken(passed_on)
    assert name_is_taken(FencedInstanceId())
    assert not name_is_taken(KafkaError("anything else"))
    assert not name_is_taken(None)


def test_a_member_that_is_replaced_again_and_again_has_lost_its_name() -> None:
    displaced = Displaced(within=30)

    assert [displaced.assigned(7, now) for now in (0, 6, 12, 18)] == [False, False, False, True]


def test_rebalances_are_no_replacements() -> None:
    displaced = Displaced(within=30)

    assert not any(displaced.assigned(generation, 1) for generation in range(10))


def test_a_machine_that_is_suspended_now_and_then_keeps_its_name() -> None:
    displaced = Displaced(within=30)

    assert not any(displaced.assigned(7, now) for now in range(0, 1000, 20))
