"""How large a batch may be for the topic, as Kafka tells or as it shows by what it refuses."""

from dataclasses import dataclass, replace
from typing import Self

from aiokafka.producer.message_accumulator import BatchBuilder

MAX_BATCH_BYTES = 512 * 1024  # half of the broker's default message.max.bytes: one record more never passes it
ENOUGH_BYTES = 16 * 1024  # for every envelope there is: the payload is at most 4 KiB, the rest a few hundred bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a batch, and of a batch with a single record, that the topic takes; None: any record there is."""

    batch_bytes: int = MAX_BATCH_BYTES
    record_bytes: int | None = None

    @classmethod
    def told(cls, max_message_bytes: int) -> Self:
        """Return the limits of a topic whose `max.message.bytes` is known."""
        return cls(
            min(MAX_BATCH_BYTES, max_message_bytes), max_message_bytes if max_message_bytes < ENOUGH_BYTES else None
        )

    def without(self, size: int, records: int) -> Self:
        """Return limits under which Kafka may take what it refused as one batch of `size` bytes."""
        if records == 1:
            return replace(self, batch_bytes=min(self.batch_bytes, size), record_bytes=size - 1)
        return replace(self, batch_bytes=size // 2)

    def takes(self, key: bytes, value: bytes) -> bool:
        """Return whether a record can get through, in a batch of its own."""
        if self.record_bytes is None:
            return True
        alone = BatchBuilder(self.record_bytes, 0)
        alone.append(timestamp=None, key=key, value=value)
        return bool(alone.size() <= self.record_bytes)
