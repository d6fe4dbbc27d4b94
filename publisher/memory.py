"""A publisher without Kafka, for tests and for trying things out."""

from collections.abc import Sequence
from typing import Self

from attemptlog.publisher.port import KafkaUnavailable
from attemptlog.schemas import Envelope


class MemoryPublisher:
    """Keeps envelopes in `envelopes`, in order; set `is_ready` to False to make it refuse as a lost Kafka would."""

    buffered_bytes = 0

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.is_ready = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.is_ready = False

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Keep the envelopes, or raise KafkaUnavailable."""
        if not self.is_ready:
            raise KafkaUnavailable("the memory publisher was told to refuse")
        self.envelopes.extend(envelopes)
