"""Batches on their way to the stores, each of which has a queue of its own."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator

from attemptlog.consumer.holes import ReadAgain
from attemptlog.consumer.writer import Log, Writer
from attemptlog.event_store.decoding import Batch, KafkaRecord, decode_batch

BEHIND = 1  # batches that may wait behind the one that is being stored when more is read from Kafka


class Queue:
    """What one store has in hand: the batch that is being stored, and those that wait for their turn, decoded."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._waiting: deque[tuple[Batch, float]] = deque()  # with the time at which it came
        self._batch: Batch | None = None
        self.storing: asyncio.Task[ReadAgain | None] | None = None

    @property
    def has_room(self) -> bool:
        return len(self._waiting) <= BEHIND

    def __len__(self) -> int:
        return len(self._waiting) + (self._batch is not None)

    def holds(self, partition: int) -> bool:
        """Return whether records of a partition are in hand."""
        batches = [self._batch, *(batch for batch, _ in self._waiting)]
        return any(batch is not None and partition in batch.next_offsets for batch in batches)

    def put(self, batch: Batch) -> None:
        """Have a batch wait for its turn."""
        self._waiting.append((batch, time.monotonic()))

    def begin(self, log: Log) -> None:
        """Have the next batch stored, unless one is."""
        if self.storing is None and self._waiting:
            self._batch, came = self._waiting.popleft()
            self.storing = asyncio.create_task(self._writer.write(self._batch, came, log))

    def take_in(self) -> ReadAgain | None:
        """Return what became of a batch whose turn is over, None while it is not; raises what its writing raised.

        When it is to be read again, so is everything behind it.
        """
        if self.storing is None or not self.storing.done():
            return None
        storing, self.storing, self._batch = self.storing, None, None
        again = storing.result()
        return None if again is None else ReadAgain({**self._give_up(), **again.offsets}, again.holes)

    def _give_up(self) -> dict[int, int]:
        """Let go of all that waits; return where it began, by partition."""
        begins: dict[int, int] = {}
        while self._waiting:
            batch, _ = self._waiting.pop()
            begins |= batch.first_offsets  # the first one last, so that it wins
        return begins


class Shares:
    """Shares partitions out among stores, for ever: the records of one are stored in their order."""

    def __init__(self, stores: int) -> None:
        self._stores = stores
        self._places: dict[int, int] = {}  # of partitions, numbered in the order in which they were first seen

    def of(self, runs: Iterable[list[KafkaRecord]]) -> Iterator[tuple[int, Batch]]:
        """Yield the number of each store that has a share in some partitions' records, and its batch."""
        shares: dict[int, list[KafkaRecord]] = {}
        for run in runs:
            number = self._places.setdefault(run[0].partition, len(self._places)) % self._stores
            shares.setdefault(number, []).extend(run)
        for number, share in shares.items():
            yield number, decode_batch(share)
