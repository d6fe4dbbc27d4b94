"""Kafka topics and how they are laid out."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as `attemptlog topics` creates it. The key is the session id as text, the partitioner Kafka's murmur2."""

    name: str
    partitions: int
    retention: timedelta


ATTEMPT_EVENTS = TopicSpec(
    name="attempt-events.v1",
    partitions=12,  # divides among 1, 2, 3, 4, 6 and 12 consumers
    retention=timedelta(days=7),  # longer than any outage of the database that operators let pass
)
