"""What to do about a batch that begins beyond the offset that the ledger waits for. Pure."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from attemptlog.event_store.errors import Hole

Offsets = Mapping[int, int]  # by partition


@dataclass(frozen=True, slots=True)
class PassOver:
    """Store the batch: what is missing before it is gone from Kafka, or was never there."""

    holes: frozenset[Hole]


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """Do not store the batch: Kafka has to deliver from these offsets on. `holes` are why, where there are any."""

    offsets: Offsets
    holes: frozenset[Hole] = frozenset()


def about(
    holes: frozenset[Hole], first_offsets: Offsets, begins: Offsets, looked_at: Set[Hole]
) -> PassOver | ReadAgain:
    """Decide about the holes before a batch that begins at `first_offsets`.

    `begins` is where Kafka's log begins by now. What lies before that has expired. What lies after it is read again,
    once: a hole in `looked_at` was there after nothing but its own beginning had been read, so it holds no record.
    """
    missing = {hole for hole in holes if begins[hole.partition] < hole.first_offset} - looked_at
    if not missing:
        return PassOver(holes)
    starts = {hole.partition: max(hole.next_offset, begins[hole.partition]) for hole in missing}
    return ReadAgain({**first_offsets, **starts}, frozenset(missing))
