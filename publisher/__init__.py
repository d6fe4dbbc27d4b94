"""The one way into Kafka: the gateway is its first user, a session service its second."""

from attemptlog.publisher.kafka import KafkaPublisher
from attemptlog.publisher.logger import EventLogger
from attemptlog.publisher.memory import MemoryPublisher
from attemptlog.publisher.port import EnvelopeTooLarge, KafkaUnavailable, Publisher, PublisherError
from attemptlog.publisher.threaded import ThreadedEventLogger

__all__ = [
    "EnvelopeTooLarge",
    "EventLogger",
    "KafkaPublisher",
    "KafkaUnavailable",
    "MemoryPublisher",
    "Publisher",
    "PublisherError",
    "ThreadedEventLogger",
]
