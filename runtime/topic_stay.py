"""How long a record stays in a topic."""

from collections.abc import Mapping
from datetime import timedelta

from attemptlog.runtime.admin import Cluster, admin_client, describe, no_such_topic, topic_configs

# Kafka looks every five minutes for what is to be deleted, and deletes the files a minute later
# (log.retention.check.interval.ms, file.delete.delay.ms).
CLEANING = timedelta(minutes=10)


async def longest_stay(kafka: Cluster, topic: str) -> timedelta | None:
    """Return how long a record may stay in the topic, None where nothing ends it.

    Raises OperatorError when Kafka cannot be reached, or has no such topic.
    """
    async with admin_client(kafka) as client:
        if await describe(client, topic) is None:
            raise no_such_topic(topic)
        return longest_stay_of(await topic_configs(client, topic))


def longest_stay_of(configs: Mapping[str, str]) -> timedelta | None:
    """Return the same of a topic with these settings, by Kafka's names.

    Kafka deletes a file of the log once the last record in it is older than retention.ms, and begins a new file when
    the first record of one is older than segment.ms, at the latest.
    """
    retention, segment = int(configs["retention.ms"]), int(configs["segment.ms"])
    if retention < 0 or "delete" not in configs["cleanup.policy"]:
        return None
    return timedelta(milliseconds=retention) + timedelta(milliseconds=segment) + CLEANING
