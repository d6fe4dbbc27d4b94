"""Kafka topics and how they are laid out."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

MAX_TOPIC_LENGTH = 249  # Kafka's own: a folder's name, with the partition's number behind it
TOPIC = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
KAFKAS_OWN = ("__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata")


def topic_name(text: str) -> str:
    """Return a topic's name as it is; raise ValueError when Kafka would not take it, or has it for itself."""
    if len(text) > MAX_TOPIC_LENGTH or not TOPIC.fullmatch(text) or text in {".", ".."}:
        raise ValueError(
            f"is not a topic's name: use 1 to {MAX_TOPIC_LENGTH} ASCII letters, digits, dots, underscores and hyphens"
        )
    if text in KAFKAS_OWN:
        raise ValueError("is a topic of Kafka's own: choose another")
    return text


TopicName = Annotated[str, AfterValidator(topic_name)]


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as `attemptlog topics` creates it. The key is the session id as text, the partitioner Kafka's murmur2."""

    name: str
    partitions: int
    retention: timedelta
    max_message_bytes: int


ATTEMPT_EVENTS = TopicSpec(
    name="attempt-events.v1",
    partitions=12,  # divides among 1, 2, 3, 4, 6 and 12 consumers
    retention=timedelta(days=7),  # longer than any outage of the database that operators let pass
    max_message_bytes=1024 * 1024,  # twice the publisher's batches, and Kafka's own default
)
