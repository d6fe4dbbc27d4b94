"""`attemptlog audit`: does every record of the topic have its place in PostgreSQL?"""

import asyncio
import time
from typing import Annotated

import psycopg
import typer
from psycopg import IsolationLevel
from psycopg.rows import scalar_row
from rich.table import Table

from cli.console import out, print_json, working_on
from cli.kafka import no_such_topic, offsets
from cli.ledger import NOTHING, Audit, Counts, PartitionAccount
from cli.postgres import open_transaction
from cli.settings import CliSettings

POLL_SECONDS = 0.1

# Short, so that a terminal of 80 columns shows them all.
COLUMNS = ("part", "begin", "end", "next", "records", "inserted", "dupl", "dead", "suppr", "pend", "lost")

# One snapshot for all of them, or a batch that commits in between would look like a fault.
ONE_SNAPSHOT = IsolationLevel.REPEATABLE_READ

SELECT_COUNTS = """
SELECT
    partition,
    next_offset,
    records,
    inserted,
    duplicates,
    dead_lettered,
    suppressed,
    (
        SELECT count(*)
        FROM dead_letters
        WHERE dead_letters.topic = partition_ledger.topic AND dead_letters.partition = partition_ledger.partition
    ) AS dead_letter_rows
FROM partition_ledger
WHERE topic = %(topic)s
"""

SELECT_INSERTED_IN_ALL = """
SELECT coalesce(sum(inserted), 0)::bigint
FROM partition_ledger
"""

# Version 0 are rows from before attemptlog: no ledger counts them.
SELECT_EVENTS = """
SELECT count(*)
FROM attempt_events
WHERE event_version >= 1
"""

# What a replay stored is counted as a dead letter in the ledger, which is about the record and stays as it is.
SELECT_REPLAYED = """
SELECT count(*)
FROM dead_letters
WHERE replay_outcome = 'inserted'
"""

SELECT_NEXT_OFFSETS = """
SELECT partition, next_offset
FROM partition_ledger
WHERE topic = %(topic)s
"""


def audit(
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the consumer to drain the topic.")] = 0,
    allow_pending: Annotated[
        bool, typer.Option(help="Do not count records that are not stored yet as a fault.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare Kafka, the ledger and the tables, partition by partition; exit status 1 if anything disagrees."""
    settings = CliSettings()
    with working_on("Auditing"):
        found = asyncio.run(settled_audit(settings.kafka, settings.database, settings.topic, wait))
    if as_json:
        print_json(found.as_data(allow_pending=allow_pending))
    else:
        print_audit(found, allow_pending=allow_pending)
    raise typer.Exit(1 if found.problems(allow_pending=allow_pending) else 0)


async def settled_audit(bootstrap_servers: str, database_url: str, topic: str, wait: float) -> Audit:
    """Audit until nothing is pending, for at most `wait` seconds, and return the last audit."""
    deadline = time.monotonic() + wait
    while True:
        found = await take_audit(bootstrap_servers, database_url, topic)
        if not found.pending or time.monotonic() >= deadline:
            return found
        await drain(bootstrap_servers, database_url, topic, deadline - time.monotonic())


async def take_audit(bootstrap_servers: str, database_url: str, topic: str) -> Audit:
    """Audit now; raise OperatorError for a topic that neither Kafka nor the ledger knows.

    PostgreSQL is read first, so that a live topic shows pending records and never a ledger ahead.
    """
    counts, inserted, replayed, events = await _read_database(database_url, topic)
    in_kafka = await offsets(bootstrap_servers, topic)
    if not in_kafka and not counts:
        raise no_such_topic(topic)
    partitions = sorted(counts.keys() | in_kafka.keys())
    accounts = [PartitionAccount(each, in_kafka.get(each), counts.get(each, NOTHING)) for each in partitions]
    return Audit(topic, accounts, inserted, events, replayed)


async def drain(bootstrap_servers: str, database_url: str, topic: str, wait: float) -> bool:
    """Wait until what Kafka holds now is in the ledger; return False when it is not within `wait` seconds."""
    goals = {partition: found.end for partition, found in (await offsets(bootstrap_servers, topic)).items()}
    deadline = time.monotonic() + wait
    async with open_transaction(database_url) as connection:  # each statement sees what is committed by then
        while True:
            cursor = await connection.execute(SELECT_NEXT_OFFSETS, {"topic": topic})
            reached: dict[int, int] = dict(await cursor.fetchall())
            if all(reached.get(partition, 0) >= goal for partition, goal in goals.items()):
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)


async def read_counts(connection: psycopg.AsyncConnection, topic: str) -> dict[int, Counts]:
    """Return the ledger of a topic by partition."""
    cursor = await connection.execute(SELECT_COUNTS, {"topic": topic})
    return {partition: Counts(*rest) for partition, *rest in await cursor.fetchall()}


async def _read_database(database_url: str, topic: str) -> tuple[dict[int, Counts], int, int, int]:
    async with open_transaction(database_url, ONE_SNAPSHOT, read_only=True) as connection:
        counts = await read_counts(connection, topic)
        statements = (SELECT_INSERTED_IN_ALL, SELECT_REPLAYED, SELECT_EVENTS)
        inserted, replayed, events = [await _number(connection, statement) for statement in statements]
        return counts, inserted, replayed, events


async def _number(connection: psycopg.AsyncConnection, statement: str) -> int:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(statement)
        return int(await cursor.fetchone() or 0)


def print_audit(found: Audit, *, allow_pending: bool) -> None:
    """Print the partitions and the verdict."""
    out.print(_table(found))
    for problem in found.problems(allow_pending=allow_pending):
        out.print(f"• {problem}", style="red")
    out.print(verdict(found, allow_pending=allow_pending))


def verdict(found: Audit, *, allow_pending: bool = False) -> str:
    """Return the audit in one line."""
    problems = found.problems(allow_pending=allow_pending)
    if problems:
        return f"[bold red]disagrees[/]: {len(problems)} problem{'s' * (len(problems) > 1)}"
    return f"[bold green]agrees[/]: {len(found.partitions)} partitions, {found.total.records} records accounted for"


def _table(found: Audit) -> Table:
    table = Table(title=f"Audit of {found.topic}", title_justify="left", box=None)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for account in found.partitions:
        is_good = not any(account.problems())
        table.add_row(str(account.partition), *map(str, _row(account)), style=None if is_good else "red")
    return table


def _row(account: PartitionAccount) -> tuple[object, ...]:
    begin, end = (account.offsets.begin, account.offsets.end) if account.offsets else ("-", "-")
    counts = account.counts
    settled = (counts.records, counts.inserted, counts.duplicates, counts.dead_lettered, counts.suppressed)
    return (begin, end, counts.next_offset, *settled, account.pending, account.lost)
