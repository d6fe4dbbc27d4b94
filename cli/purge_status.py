"""`attemptlog purge status` and `list`: what was purged, and where something of it is left."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from attemptlog.cli import moments
from attemptlog.cli.console import out, print_json, working_on
from attemptlog.event_store.dead_letters import TableRow, visible
from attemptlog.event_store.purge_remains import DONE, PENDING, UNTIL, Place, Stay, places
from attemptlog.event_store.purge_status import list_purges, read_purge
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.runtime.topic_stay import longest_stay

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

COUNTS = ("sessions", "events", "older_events", "dead_letters")
LIFT = "lift"


def status(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number, as `list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Say of a purge, a lift or a retention who wanted it and why, and where it is done; exit status 1 where it is not.

    What nobody reaches is named with the date by which it is gone, where that can be told.
    """
    settings = OperatorSettings()
    row, targets = read_purge(settings.database, number)
    found: list[Place] = []
    if row["kind"] != LIFT:
        with working_on("Asking Kafka"):
            kafka = asyncio.run(_stay(settings))
        found = places(row, targets, kafka, settings.backup_retention)
    if as_json:
        print_json(row | {"places": [place._asdict() for place in found]})
    else:
        _print(row, found)
    raise typer.Exit(1 if any(place.state == PENDING for place in found) else 0)


def list_(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Show the newest so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List purges, lifts and retentions, the newest first. None says whom it was about."""
    found = list_purges(OperatorSettings().database, limit)
    if as_json:
        print_json(found)
        return
    table = Table("id", "kind", "begun (UTC)", "finished (UTC)", "by", box=None)
    for name in ("sessions", "events", "dead letters"):
        table.add_column(name, justify="right")
    for row in found:
        when = [moments.shown(row[name])[:-4] for name in ("started_at", "finished_at")]
        counts = (row["sessions"], row["events"] + row["older_events"], row["dead_letters"])
        by = Text(visible(row["requested_by"]))
        table.add_row(str(row["id"]), row["kind"], *when, by, *(f"{count:,}" for count in counts))
    out.print(table)


async def _stay(settings: OperatorSettings) -> Stay:
    """Return how long Kafka has its records; what keeps that from being known is no reason to say nothing else."""
    try:
        longest = await longest_stay(settings.kafka, settings.topic)
    except OperatorError as error:
        return Stay(None, str(error))
    if longest is None:
        return Stay(None, f"{settings.topic} is kept for ever or compacted: delete its records, or the topic")
    return Stay(longest, f"retention.ms and segment.ms of {settings.topic}, and what is read again is suppressed")


def _print(row: TableRow, found: list[Place]) -> None:
    table = Table(title=f"{row['kind'].capitalize()} {row['id']}", show_header=False, title_justify="left")
    for name, value in _facts(row).items():
        table.add_row(name, Text(value))
    out.print(table)
    if not found:
        return
    table = Table("where", "state", "since, or gone by (UTC)", "rows", "note")
    for place in found:
        style = {DONE: "green", PENDING: "red"}.get(place.state, "")
        rows = "" if place.rows is None else f"{place.rows:,}"
        state = Text(_state(place, datetime.now(UTC)), style=style)
        table.add_row(place.name, state, moments.shown(place.when)[:-4], rows, Text(place.note))
    out.print(table)


def _state(place: Place, now: datetime) -> str:
    if place.state == UNTIL and place.when is not None:
        return "gone" if place.when < now else "gone by"
    return place.state


def _facts(row: TableRow) -> dict[str, str]:
    facts = {
        "of": f"a {row['subject_kind']}" if row["subject_kind"] else "sessions that ended before",
        "by": f"{visible(row['requested_by'])} ({row['database_user']} in PostgreSQL)",
        "why": visible(row["reason"]),
        "begun": moments.shown(row["started_at"]),
        "finished": moments.shown(row["finished_at"]) or "not yet: run it again",
        "suppresses": "yes" if row["suppresses"] else "no",
    }
    if row["ended_before"]:
        facts["of"] = f"sessions that ended before {moments.shown(row['ended_before'])}"
    return facts | {name.replace("_", " "): f"{row[name]:,}" for name in COUNTS}
