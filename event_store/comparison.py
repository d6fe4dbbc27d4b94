"""Kafka's log of a topic beside the one that the ledger is about."""

from dataclasses import dataclass
from functools import partial

from attemptlog.event_store.books import is_accounted_for, read_ledger, read_log
from attemptlog.event_store.identity import KnownLog, Ledger, objections
from attemptlog.runtime.admin import Cluster, connected_consumer, no_such_topic
from attemptlog.runtime.topic_log import FoundLog, find_log
from attemptlog.runtime.transactions import open_transaction


@dataclass(frozen=True, slots=True)
class Comparison:
    """The log that the ledger is about, None where it knows of none; the one in Kafka; and why it is not the same."""

    known: KnownLog | None
    ledger: Ledger
    found: FoundLog
    objections: list[str]

    @property
    def is_cut_off(self) -> bool:
        """True when it is the same topic, which lost records and may have others in their place."""
        return self.known is not None and self.known.topic_id == self.found.topic_id is not None


async def compare_logs(kafka: Cluster, database_url: str, topic: str) -> Comparison:
    """Compare the two; raise OperatorError when there is no such topic."""
    async with (
        open_transaction(database_url, read_only=True) as connection,
        connected_consumer(kafka) as consumer,
    ):
        known, ledger = await read_log(connection, topic), await read_ledger(connection, topic)
        found = await find_log(consumer, topic)
        if found is None:
            raise no_such_topic(topic)
        knows = partial(is_accounted_for, connection, topic)
        return Comparison(
            known, ledger, found, [why async for why in objections(consumer, found, known, ledger, knows)]
        )
