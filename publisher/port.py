"""What every publisher promises."""

from collections.abc import Sequence
from typing import Protocol, Self

from attemptlog.schemas import Envelope


class PublisherError(Exception):
    """Base of what a publisher raises."""


class KafkaUnavailable(PublisherError):
    """Not everything was acknowledged in time: send the same envelopes again later; what got through is deduplicated.

    That holds for events with a seq, or with the same id: without either, the consumer cannot know a repeat.
    """


class EnvelopeTooLarge(PublisherError):
    """Some envelopes are larger than the topic takes, and none was published: leave out those with `ids`."""

    def __init__(self, ids: frozenset[str]) -> None:
        super().__init__(f"{len(ids)} envelopes are larger than the topic's max.message.bytes")
        self.ids = ids


class Publisher(Protocol):
    """Use as `async with`; opening never fails and never waits for Kafka."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    @property
    def is_ready(self) -> bool:
        """True while a publish can be expected to succeed."""
        ...

    @property
    def buffered_bytes(self) -> int:
        """Bytes of envelopes that wait for an acknowledgement."""
        ...

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Return when every envelope is durable in Kafka; order within a session is kept.

        Raises KafkaUnavailable when that is not so within the delivery deadline, and EnvelopeTooLarge at once.
        """
        ...
