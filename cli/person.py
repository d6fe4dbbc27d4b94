"""`attemptlog person`: what is held about one, for that person."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from attemptlog.cli.console import fact_table, out
from attemptlog.cli.moments import shown
from attemptlog.cli.who import ByOption, WhyOption, looker, note
from attemptlog.event_store.dead_letters import TableRow
from attemptlog.event_store.person import Person, reading_person
from attemptlog.event_store.person_json import as_json
from attemptlog.event_store.person_page import as_page
from attemptlog.event_store.person_words import STILL, SUPPRESSED
from attemptlog.runtime.pseudonyms import pseudonyms_of
from attemptlog.runtime.settings import OperatorSettings

person = typer.Typer(no_args_is_help=True, help="Show all that is held about a person.")


@person.callback()
def _group() -> None:
    """Have `report` written out, as long as it is the only one."""


@person.command(
    epilog="Example: attemptlog person report --user 01890a5d-ac96-774b-bcce-b302099a8057 --html person.html"
)
def report(
    user: Annotated[UUID, typer.Option(metavar="UUID", help="The person.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page for that person.", dir_okay=False)
    ] = None,
    by: ByOption = None,
    why: WhyOption = None,
    as_json_: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Show all that is held about a person: events, dead letters, copies, what was erased, and who looked.

    Without --json or --html, only how much there is. Look through it before you hand it over: a dead letter may name
    others.
    """
    if html and as_json_:
        raise typer.BadParameter("--json and --html are two reports: ask for one after the other")
    settings, who = OperatorSettings(), looker("person report", by, why)
    note(settings, who, user=user)
    with reading_person(settings.database, user, who, pseudonyms_of(settings.pseudonym_key)) as found:
        if as_json_:
            sys.stdout.buffer.writelines(as_json(found))
        elif html:
            _write(html, as_page(found))
            out.print(f"[bold green]written[/]: {html}, which only you may read", soft_wrap=True)
        else:
            out.print(fact_table(f"Person {user}", _facts(found)))


def _write(file: Path, pieces: Iterable[str]) -> None:
    """Write a file that is of nobody else, and stands in the place of another only once it is whole."""
    half = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as output:
            output.writelines(pieces)
        half.replace(file)
    finally:
        half.unlink(missing_ok=True)


def _copy(row: TableRow) -> str:
    since = f" since {shown(row['since'])[:-4]}" if row["since"] else ""
    return f"{row['target']} {row['rows']:,}{since}"


def _facts(found: Person) -> dict[str, str]:
    purges = found.purges()
    targets = [each for row in purges for each in row["targets"]]
    still = {f"still in {each['target']}": STILL[each["state"]] for each in targets if each["state"] in STILL}
    facts = {
        "sessions": f"{len(found.sessions):,}",
        "events stored": f"{sum(row['events_stored'] for row in found.sessions):,}",
        "dead letters": f"{sum(1 for _ in found.dead_letters()):,}",
        "copies": ", ".join(map(_copy, found.exports())) or "none",
        "purges and lifts": f"{len(purges):,}",
        "is being stored": SUPPRESSED[found.is_suppressed],
        "looked at": f"{sum(1 for _ in found.accesses()):,} times",
    }
    return facts | still
