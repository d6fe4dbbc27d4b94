"""`attemptlog retention`: sessions go for their age."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from attemptlog.cli import moments
from attemptlog.cli.console import counting, out, print_json
from attemptlog.cli.purge import NOT_DONE, ReasonOption, count_table
from attemptlog.cli.who import ByOption
from attemptlog.event_store.purge_subjects import Request
from attemptlog.event_store.retention import YOUNGEST, Age, count_ended, retire
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.runtime.who import os_user

MEANING = "Sessions whose last event is older: 400d, or 2025-03-02 (UTC)."


def parse_end(text: str) -> datetime:
    """Return the moment before which a session has to have ended; raise typer.BadParameter for one too young."""
    end = moments.parse_moment(text)
    if end > datetime.now(UTC) - YOUNGEST:
        raise typer.BadParameter("a session that ended within a day may still go on: write an age of a day or more")
    return end


def retention(
    *,
    older_than: Annotated[datetime, typer.Option(metavar="AGE", parser=parse_end, show_default=False, help=MEANING)],
    keep_exports: Annotated[
        bool, typer.Option("--keep-exports", help="Let exported rows stay where they are.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, count what would go.")] = False,
    reason: ReasonOption = None,
    by: ByOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Erase the sessions that ended long ago, and store nothing more of them; for a schedule.

    What belongs to no session, as an undecodable record does, goes by its own age. One that was interrupted is gone on
    with. Without --apply nothing is changed.
    """
    settings, age = OperatorSettings(), Age(older_than, keep_exports)
    number: int | None = None
    if apply:
        request = Request(by or os_user(), reason or "retention", settings.pseudonyms)
        with counting("Erasing") as progress:
            number, counts = asyncio.run(retire(settings.database, age, request, progress))
    else:
        with counting("Counting"):
            counts = asyncio.run(count_ended(settings.database, age))
    if as_json:
        print_json({"applied": apply, "purge": number, "ended_before": age.before} | counts._asdict())
    else:
        out.print(count_table("Would go" if number is None else f"Retention {number}", counts))
        told = f"Of sessions that ended before {moments.shown(older_than)} (UTC)." + NOT_DONE * (not apply)
        out.print(told, soft_wrap=True)
