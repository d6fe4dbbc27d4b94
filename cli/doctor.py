"""`attemptlog doctor`: is everything there that the pipeline needs?"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Annotated

import httpx
import typer
from psycopg import AsyncConnection
from rich.table import Table

from attemptlog import migrations
from attemptlog.cli.console import out, print_json, working_on
from attemptlog.event_store import export_sql, purge_sql, sql, viewing
from attemptlog.event_store.append_only import unguarded
from attemptlog.event_store.references import find_references
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.grants import GATEWAY_GRANTS
from attemptlog.runtime.pseudonyms import Pseudonyms, pseudonyms_of
from attemptlog.runtime.roles import role_faults
from attemptlog.runtime.sentences import sentence
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.runtime.suppressions import READ_KEY, key_fault
from attemptlog.runtime.topics import check_topic
from attemptlog.runtime.transactions import open_transaction

NEEDED = {
    "attemptlog_gateway": GATEWAY_GRANTS,
    "attemptlog_consumer": sql.GRANTS,
    "attemptlog_exporter": export_sql.GRANTS,
    "attemptlog_purger": purge_sql.GRANTS,
    "attemptlog_reader": viewing.GRANTS,
}
EXPORT_WITH_EXAMS = export_sql.GRANTS | export_sql.EXAM_GRANTS
HEALTH_TIMEOUT = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Finding:
    """One check; `detail` says what is there, or what is wrong and what to do."""

    check: str
    is_ok: bool
    detail: str


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check settings, Kafka, PostgreSQL and the services; exit status 1 if something is wrong."""
    settings = OperatorSettings()
    with working_on("Checking"):
        findings = asyncio.run(examine(settings))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        out.print(_table(findings))
    raise typer.Exit(0 if all(finding.is_ok for finding in findings) else 1)


async def examine(settings: OperatorSettings) -> list[Finding]:
    """Run every check; services are checked when their addresses are set."""
    checks: dict[str, Callable[[OperatorSettings], Awaitable[str]]] = {"topic": _topic, "database": _database}
    found = [await _finding(name, check(settings)) for name, check in checks.items()]
    services = {"gateway": settings.gateway_url, "consumer": settings.consumer_url}
    return found + [await _finding(name, _service(name, url)) for name, url in services.items() if url]


async def _finding(name: str, check: Awaitable[str]) -> Finding:
    try:
        return Finding(name, True, await check)
    except Exception as error:
        problem = sentence(error)
        if problem is None:
            raise
        return Finding(name, False, problem)


async def _topic(settings: OperatorSettings) -> str:
    state = await check_topic(settings.kafka, settings.topic)
    if state.differences:
        raise OperatorError(f"{settings.topic}: {', '.join(state.differences)}; run {' and '.join(state.commands)}")
    return f"{settings.topic} at {settings.kafka}, {state.layout.partitions} partitions"


async def _database(settings: OperatorSettings) -> str:
    current = await asyncio.to_thread(migrations.current, settings.database)
    if current != migrations.head() and not migrations.is_newer(current):
        raise OperatorError(
            f"The database is at {current or 'base'}, not at {migrations.head()}: run `attemptlog migrate`."
        )
    indexes = await asyncio.to_thread(migrations.find_indexes, settings.database)
    async with open_transaction(settings.database, read_only=True) as connection:
        [[with_exams]] = await (await connection.execute(export_sql.WITH_EXAMS)).fetchall()
        faults = await role_faults(
            connection, NEEDED | ({"attemptlog_exporter": EXPORT_WITH_EXAMS} if with_exams else {})
        )
        faults += await unguarded(connection)
        references = await find_references(connection)
        faults += await _key_faults(connection, pseudonyms_of(settings.pseudonym_key))
    faults += [fault for fault in (references.fault, indexes.fault) if fault]
    if faults:
        raise OperatorError(f"{'; '.join(faults)}.")
    by = " by a newer attemptlog" * migrations.is_newer(current)
    return (
        f"migrated to {current}{by}, the services' roles may read and store, {indexes.description}, "
        f"and {references.description}"
    )


async def _key_faults(connection: AsyncConnection, pseudonyms: Pseudonyms | None) -> list[str]:
    keys = await (await connection.execute(READ_KEY)).fetchall()
    return [fault for fingerprint, _ in keys if (fault := key_fault(fingerprint, pseudonyms))]


async def _service(name: str, url: str) -> str:
    try:
        async with httpx.AsyncClient(base_url=url, timeout=HEALTH_TIMEOUT) as client:
            answer = await client.get("/readyz")
    except httpx.TransportError as error:
        raise OperatorError(f"Nothing answers at {url}: start it, or mend ATTEMPTLOG_{name.upper()}_URL.") from error
    if answer.status_code != httpx.codes.OK:
        raise OperatorError(f"{url} is not ready ({answer.text.strip()}): see its log.")
    return f"ready at {url}"


def _table(findings: list[Finding]) -> Table:
    table = Table("check", "state", "what is there, or what to do")
    for finding in findings:
        table.add_row(finding.check, "[green]ok[/]" if finding.is_ok else "[bold red]problem[/]", finding.detail)
    return table
