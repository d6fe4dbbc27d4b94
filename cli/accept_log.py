"""`attemptlog accept-log`: go on with a log that is not the one that was stored."""

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table

from attemptlog.cli.console import out, print_json, working_on
from attemptlog.cli.who import ByOption
from attemptlog.event_store.acceptance import accept, starts
from attemptlog.event_store.comparison import Comparison, compare_logs
from attemptlog.event_store.identity import NOTHING_YET
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.runtime.who import os_user


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
    settings = OperatorSettings()
    with working_on("Comparing the logs"):
        found = asyncio.run(compare_logs(settings.kafka, settings.database, settings.topic))
    if found.objections and apply:
        asyncio.run(accept(settings.database, settings.topic, found, by or os_user()))
    if as_json:
        print_json(_as_data(settings.topic, found, applied=apply and bool(found.objections)))
    else:
        _print(settings.topic, found, applied=apply)


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
