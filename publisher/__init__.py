"""The one way into Kafka: the gateway is its first user, a session service its second."""

from publisher.kafka import KafkaPublisher
from publisher.logger import EventLogger
from publisher.memory import MemoryPublisher
from publisher.port import EnvelopeTooLarge, KafkaUnavailable, Publisher, PublisherError
from publisher.threaded import ThreadedEventLogger

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
