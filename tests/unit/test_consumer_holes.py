"""What is decided about holes, and how long attempts wait."""

from itertools import islice

import pytest

from attemptlog.consumer.holes import PassOver, ReadAgain, about
from attemptlog.consumer.pauses import LONGEST_PAUSE, pauses
from attemptlog.event_store.errors import Hole

HOLE = Hole(0, 10, 20)  # the ledger waits for 10, the batch begins at 20
OTHER = Hole(1, 5, 9)
FIRST = {0: 20, 1: 9, 2: 40}
NOTHING = frozenset[Hole]()


@pytest.mark.parametrize(
    ("holes", "begins", "looked_at", "decision"),
    [
        ({HOLE}, {0: 0}, NOTHING, ReadAgain(FIRST | {0: 10}, frozenset([HOLE]))),
        ({HOLE}, {0: 10}, NOTHING, ReadAgain(FIRST | {0: 10}, frozenset([HOLE]))),
        ({HOLE}, {0: 15}, NOTHING, ReadAgain(FIRST | {0: 15}, frozenset([HOLE]))),
        ({HOLE}, {0: 20}, NOTHING, PassOver(frozenset([HOLE]))),
        ({HOLE}, {0: 30}, NOTHING, PassOver(frozenset([HOLE]))),
        ({HOLE}, {0: 0}, {HOLE}, PassOver(frozenset([HOLE]))),
        ({HOLE}, {0: 0}, {Hole(0, 10, 25)}, ReadAgain(FIRST | {0: 10}, frozenset([HOLE]))),
        ({HOLE, OTHER}, {0: 20, 1: 0}, NOTHING, ReadAgain(FIRST | {1: 5}, frozenset([OTHER]))),
        ({HOLE, OTHER}, {0: 0, 1: 0}, {HOLE}, ReadAgain(FIRST | {1: 5}, frozenset([OTHER]))),
        ({HOLE, OTHER}, {0: 20, 1: 0}, {OTHER}, PassOver(frozenset([HOLE, OTHER]))),
    ],
    ids=[
        "Kafka has it",
        "from its beginning on",
        "or the rest of it",
        "it has expired",
        "and more than it",
        "it was looked at, so it holds no record",
        "another hole was looked at",
        "one has expired, and the other is read",
        "one was looked at, and the other is read",
        "one has expired, the other was looked at",
    ],
)
def test_a_hole_is_read_again_while_kafka_has_something_of_it_that_nobody_has_looked_at(
    holes: set[Hole], begins: dict[int, int], looked_at: set[Hole], decision: PassOver | ReadAgain
) -> None:
    assert about(frozenset(holes), FIRST, begins, looked_at) == decision


def test_attempts_come_at_growing_distances_with_jitter_and_without_end() -> None:
    waits = list(islice(pauses(), 50))
    assert waits[0] <= 0.1
    assert LONGEST_PAUSE / 2 <= waits[-1] <= LONGEST_PAUSE
    assert len(set(waits[20:])) > 1
