"""`attemptlog audit`: does every record of the topic have its place in PostgreSQL?"""

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from attemptlog.cli.console import out, print_json, working_on
from attemptlog.event_store.accounts import NOTHING_GONE, Audit, Gone, PartitionAccount
from attemptlog.event_store.audit import settled_audit
from attemptlog.runtime.settings import OperatorSettings

# Short, so that a terminal of 80 columns shows them all.
COLUMNS = ("part", "begin", "end", "next", "records", "inserted", "dupl", "dead", "suppr", "pend", "lost")


def audit(
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the consumer to drain the topic.")] = 0,
    allow_pending: Annotated[
        bool,
        typer.Option(help="Do not count as a fault what is not stored yet, or not purged from the target yet."),
    ] = False,
    target: Annotated[
        str | None, typer.Option(help="Compare PostgreSQL with this target of `attemptlog export` instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare Kafka, the ledger and the tables, partition by partition; exit status 1 if anything disagrees."""
    if target is not None:
        from attemptlog.cli.audit_target import audit_warehouse  # noqa: PLC0415 - takes as long to import as the rest

        audit_warehouse(target, allow_pending=allow_pending, as_json=as_json)
    settings = OperatorSettings()
    with working_on("Auditing"):
        found = asyncio.run(settled_audit(settings.kafka, settings.database, settings.topic, wait))
    if as_json:
        print_json(found.as_data(allow_pending=allow_pending))
    else:
        print_audit(found, allow_pending=allow_pending)
    raise typer.Exit(1 if found.problems(allow_pending=allow_pending) else 0)


def print_audit(found: Audit, *, allow_pending: bool) -> None:
    """Print the partitions and the verdict."""
    out.print(_table(found))
    if found.closed_logs:
        out.print(_closed(found), soft_wrap=True)
    if found.gone != NOTHING_GONE:
        out.print(_gone(found.gone), soft_wrap=True)
    for problem in found.problems(allow_pending=allow_pending):
        out.print(f"• {problem}", style="red", soft_wrap=True)
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


def _closed(found: Audit) -> str:
    sums = found.closed
    return (
        f"In {found.closed_logs} earlier logs: {sums.records} records, {sums.inserted} inserted, {sums.duplicates} "
        f"duplicates, {sums.dead_lettered} dead letters, {sums.suppressed} suppressed, {sums.lost} lost"
    )


def _gone(gone: Gone) -> str:
    return (
        f"Gone of all that was stored: {gone.by_purge} events by purges, {gone.by_retention} by retention, and "
        f"{gone.letters} dead letters"
    )


def _row(account: PartitionAccount) -> tuple[object, ...]:
    begin, end = (account.offsets.begin, account.offsets.end) if account.offsets else ("-", "-")
    counts = account.counts
    settled = (counts.records, counts.inserted, counts.duplicates, counts.dead_lettered, counts.suppressed)
    return (begin, end, counts.next_offset, *settled, account.pending, account.lost)
