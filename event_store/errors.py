"""What can go wrong with the store, named by what the caller should do."""

from typing import NamedTuple


class StoreError(Exception):
    """Base class of the errors of this package."""


class StoreUnavailable(StoreError):
    """PostgreSQL is away, or refuses for now: commit nothing and try again."""


class CannotRun(StoreError):
    """Going on would be wrong until an operator acts; the message says what to do. Stop the process."""


class Occupied(StoreUnavailable):
    """Another exporter is at work on the target: it is our turn when that is over."""


class Superseded(CannotRun):
    """Another exporter has taken the target over."""


class Hole(NamedTuple):
    """A batch of a partition begins at `first_offset`, but nothing from `next_offset` on is accounted for yet."""

    partition: int
    next_offset: int
    first_offset: int


class OffsetGap(StoreError):
    """Kafka's committed offset ran ahead of the database: read the holes again, or accept that they are gone."""

    def __init__(self, holes: frozenset[Hole]) -> None:
        super().__init__(f"records between the ledger and the batch: {sorted(holes)}")
        self.holes = holes
