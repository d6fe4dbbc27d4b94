"""`attemptlog purge`: a person, or a session, is forgotten and stays so."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from attemptlog.cli.console import counting, out, print_json, working_on
from attemptlog.cli.purge_status import JsonOption, list_, status
from attemptlog.cli.who import ByOption, looker, note
from attemptlog.event_store.accesses import SESSION, USER
from attemptlog.event_store.purge_lifts import Lift, lift_subject
from attemptlog.event_store.purge_subjects import Counts, Request, Subject
from attemptlog.event_store.purges import count_subject, purge_subject
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.runtime.who import os_user

NOT_DONE = " Nothing was changed: run it again with --apply to do it."

purge = typer.Typer(
    invoke_without_command=True,
    help="""Forget a person, or a session: erase all of it, and store nothing more of it.

    Without --apply nothing is changed, and it is counted what would go.""",
)
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is kept, and names no id.")]

purge.command("status", epilog="Example: attemptlog purge status 1")(status)
purge.command("list", epilog="Example: attemptlog purge list --json")(list_)


@purge.callback()
def purge_one(
    ctx: typer.Context,
    *,
    user: Annotated[UUID | None, typer.Option(metavar="UUID", help="The person, with all sessions.")] = None,
    session: Annotated[UUID | None, typer.Option(metavar="UUID", help="One session.")] = None,
    reason: ReasonOption = None,
    by: ByOption = None,
    lift: Annotated[bool, typer.Option("--lift", help="End it: what comes from now on is stored again.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, say what it would do.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Purge, or lift, unless a subcommand is named."""
    if ctx.invoked_subcommand is not None:
        _refuse_options(ctx)
        return
    subject = _subject(user, session)
    if apply and not (reason or "").strip():
        raise typer.BadParameter("--apply needs --reason TEXT, which is kept")
    if lift:
        _lift(subject, by or os_user(), reason or "", apply=apply, as_json=as_json)
    else:
        _purge(subject, by or os_user(), reason or "", apply=apply, as_json=as_json)


def _refuse_options(ctx: typer.Context) -> None:
    if any(ctx.params.values()):
        raise typer.BadParameter(f"options of a purge do not go with `{ctx.invoked_subcommand}`: leave them out")


def _subject(user: UUID | None, session: UUID | None) -> Subject:
    if user and not session:
        return Subject(USER, user)
    if session and not user:
        return Subject(SESSION, session)
    raise typer.BadParameter("say whom: --user UUID, or --session UUID")


def _purge(subject: Subject, by: str, reason: str, *, apply: bool, as_json: bool) -> None:
    settings, number = OperatorSettings(), None
    if apply:
        request = Request(by, reason, settings.pseudonyms)
        with counting("Purging") as progress:
            number, counts = asyncio.run(purge_subject(settings.database, subject, request, progress))
    else:
        note(settings, looker("purge", by, reason), **{subject.kind: subject.id})
        with counting("Counting") as progress:
            counts = asyncio.run(count_subject(settings.database, subject, progress))
    if as_json:
        print_json({"applied": apply, "purge": number} | counts._asdict())
    else:
        of_id = counts._replace(sessions=0) if subject.kind == SESSION else counts  # which is always counted
        _print(number, counts, is_unknown=not any(of_id))


def _print(number: int | None, counts: Counts, *, is_unknown: bool) -> None:
    out.print(count_table("Would go" if number is None else f"Purge {number}", counts))
    if is_unknown:
        out.print(
            "There is nothing of this id: check it. A purge has nothing of it stored from then on.", soft_wrap=True
        )
    if number is None:
        out.print(NOT_DONE.strip())
    else:
        out.print(
            f"What is left elsewhere, and until when: `attemptlog purge status {number}`.", markup=False, soft_wrap=True
        )


def count_table(title: str, counts: Counts) -> Table:
    """Return a table of how much goes, or went."""
    table = Table("what", title=title, title_justify="left")
    table.add_column("how many", justify="right")
    for name, count in counts._asdict().items():
        table.add_row(name.replace("_", " "), f"{count:,}")
    return table


def _lift(subject: Subject, by: str, reason: str, *, apply: bool, as_json: bool) -> None:
    settings = OperatorSettings()
    with working_on("Lifting" if apply else "Looking"):
        request = Request(by, reason, settings.pseudonyms)
        found = asyncio.run(lift_subject(settings.database, subject, request, apply=apply))
    if as_json:
        told = found._asdict()
        print_json({"applied": apply, "lift": told.pop("number")} | told)
    else:
        _print_lift(found)


def _print_lift(found: Lift) -> None:
    what = f"what purge {', '.join(map(str, found.purges))} suppresses: {found.entries} entries of the list."
    if found.number is None:
        out.print(f"A lift would end {what}{NOT_DONE}", soft_wrap=True)
    else:
        told = f"[bold green]lifted[/], as number {found.number}: {what} What was erased does not come back."
        out.print(told, soft_wrap=True)
    if found.still:
        out.print(f"Purge {', '.join(map(str, found.still))} suppresses it still.", style="red", soft_wrap=True)
