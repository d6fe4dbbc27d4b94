"""Going on with a log that is not the one that was stored: the old books are closed, and new ones opened."""

from typing import Any

from attemptlog.event_store.books import read_log
from attemptlog.event_store.comparison import Comparison
from attemptlog.event_store.identity import FIRST_LOG
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.transactions import open_transaction

# Whoever stores a batch has to be through, and to look again which log the ledger is about.
LOCK_LEDGER = "LOCK TABLE partition_ledger IN EXCLUSIVE MODE"

ENTER_UNKNOWN = """
INSERT INTO topic_logs (topic, log)
VALUES (%(topic)s, %(log)s)
ON CONFLICT DO NOTHING
"""

CLOSE_LEDGER = """
INSERT INTO closed_ledgers (
    topic, log, partition, first_offset, next_offset, records, inserted, duplicates, dead_lettered, suppressed,
    updated_at
)
SELECT
    topic, %(log)s, partition, first_offset, next_offset, records, inserted, duplicates, dead_lettered, suppressed,
    updated_at
FROM partition_ledger
WHERE topic = %(topic)s
"""

EMPTY_LEDGER = "DELETE FROM partition_ledger WHERE topic = %(topic)s"

ENTER_ACCEPTED = """
INSERT INTO topic_logs (topic, log, topic_id, cluster_id, accepted_by)
VALUES (%(topic)s, %(log)s + 1, %(topic_id)s, %(cluster_id)s, %(by)s)
"""

OPEN_LEDGER = """
INSERT INTO partition_ledger (topic, partition, log, first_offset, next_offset)
VALUES (%(topic)s, %(partition)s, %(log)s + 1, %(start)s, %(start)s)
"""


async def accept(database_url: str, topic: str, found: Comparison, by: str) -> None:
    """Close the ledger of the log that was known, and open one of the log that was found.

    Raises OperatorError when the ledger is about another log by now than when it was compared.
    """
    number = found.known.number if found.known else FIRST_LOG
    which: dict[str, Any] = {"topic": topic, "log": number}
    new = {"topic_id": found.found.topic_id, "cluster_id": found.found.cluster_id, "by": by}
    async with open_transaction(database_url) as connection:
        await connection.execute(LOCK_LEDGER)
        if await read_log(connection, topic) != found.known:
            raise OperatorError("The ledger is about another log by now: run it again to compare them anew.")
        await connection.execute(ENTER_UNKNOWN, which)
        await connection.execute(CLOSE_LEDGER, which)
        await connection.execute(EMPTY_LEDGER, which)
        await connection.execute(ENTER_ACCEPTED, which | new)
        for partition, start in starts(found).items():
            await connection.execute(OPEN_LEDGER, which | {"partition": partition, "start": start})


def starts(found: Comparison) -> dict[int, int]:
    """Return where partitions are to be read from, where that is not 0.

    What a new log has dropped already was never stored, and counts as lost. What is missing from the beginning of one
    that was cut off was stored before it was.
    """
    return {partition: begin for partition, begin in found.found.begins.items() if begin} if found.is_cut_off else {}
