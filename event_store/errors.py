"""What can go wrong, named by what the caller should do."""

from typing import NamedTuple


class ConsumerError(Exception):
    """Base class of the consumer's errors."""


class StoreUnavailable(ConsumerError):
    """PostgreSQL is away, or refuses for now: commit nothing and try again."""


class KafkaUnavailable(ConsumerError):
    """Kafka does not answer, or lacks the topic: try again."""


class CannotRun(ConsumerError):
    """Going on would be wrong until an operator acts; the message says what to do. Stop the process."""


class Hole(NamedTuple):
    """A batch of a partition begins at `first_offset`, but nothing from `next_offset` on is accounted for yet."""

    partition: int
    next_offset: int
    first_offset: int


class OffsetGap(ConsumerError):
    """Kafka's committed offset ran ahead of the database: read the holes again, or accept that they are gone."""

    def __init__(self, holes: frozenset[Hole]) -> None:
        super().__init__(f"records between the ledger and the batch: {sorted(holes)}")
        self.holes = holes
