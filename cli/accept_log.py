"""`attemptlog accept-log`: go on with a log that is not the one that was stored."""

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table

from attemptlog.cli.console import out, print_json, working_on
from attemptlog.cli.errors import OperatorError
from attemptlog.cli.postgres import open_transaction
from attemptlog.cli.settings import CliSettings
from attemptlog.cli.who import ByOption, os_user
from attemptlog.event_store.books import read_log
from attemptlog.event_store.comparison import Comparison, compare_logs
from attemptlog.event_store.identity import FIRST_LOG, NOTHING_YET

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


def accept_log(
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, say what it would mean.")] = False,
    by: ByOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Go on with the log that is in Kafka now, though it is not the one that was stored.

    The consumer and the audit refuse a topic that was made anew, cut off or put back from a copy. This closes the
    books of the old log, which stay part of the audit, and has the new one read from its beginning. Without --apply
    nothing is changed.
    """
    settings = CliSettings()
    with working_on("Comparing the logs"):
        found = asyncio.run(compare_logs(settings.kafka, settings.database, settings.topic))
    if found.objections and apply:
        asyncio.run(accept(settings.database, settings.topic, found, by or os_user()))
    if as_json:
        print_json(_as_data(settings.topic, found, applied=apply and bool(found.objections)))
    else:
        _print(settings.topic, found, applied=apply)


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


def _print(topic: str, found: Comparison, *, applied: bool) -> None:
    if not found.objections:
        out.print(f"{topic} is the log that is stored: there is nothing to accept.", soft_wrap=True)
        return
    for why in found.objections:
        out.print(f"• {why}", style="red", soft_wrap=True)
    out.print(_table(found))
    if applied:
        out.print("Accepted: start the consumers, and audit once they are through.")
        return
    out.print(
        "What the old log held from `next` on is lost, unless you bring it back. Accepted, the new one is read from "
        "`from` on; events in it that are stored already are recognised as duplicates.",
        soft_wrap=True,
    )
    out.print("Nothing was changed: run it again with --apply to do it.")


def _table(found: Comparison) -> Table:
    table = Table(title="Old log and new log", title_justify="left", box=None)
    for name in ("part", "next", "begin", "end", "from"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in _partitions(found):
        table.add_row(*("-" if value is None else str(value) for value in row.values()))
    return table


def _partitions(found: Comparison) -> list[dict[str, int | None]]:
    begins, ends, begin_at = found.found.begins, found.found.ends, starts(found)
    return [
        {
            "partition": each,
            "next_offset": found.ledger.get(each, NOTHING_YET).next_offset,
            "begin": begins.get(each),
            "end": ends.get(each),
            "start": begin_at.get(each, 0) if each in ends else None,
        }
        for each in sorted(found.ledger.keys() | ends.keys())
    ]


def _as_data(topic: str, found: Comparison, *, applied: bool) -> dict[str, Any]:
    old, new = found.known, found.found
    return {
        "topic": topic,
        "applied": applied,
        "objections": found.objections,
        "old": old and {"log": old.number, "topic_id": old.topic_id, "cluster_id": old.cluster_id},
        "new": {"topic_id": new.topic_id, "cluster_id": new.cluster_id},
        "partitions": _partitions(found),
    }
