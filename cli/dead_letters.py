"""`attemptlog dead-letters`: what was not stored, why, and once more."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from attemptlog.cli import moments
from attemptlog.cli.console import err, out, print_json
from attemptlog.cli.who import ByOption, WhyOption, looker, note
from attemptlog.event_store.dead_letters import (
    FIELDS,
    LetterInFull,
    Selection,
    TableRow,
    count_and_list,
    read_letter,
    readable,
    visible,
)
from attemptlog.event_store.replays import replay_selected
from attemptlog.runtime.pseudonyms import pseudonyms_of
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.schemas.dead_letters import STORED, DeadLetterReason

ReasonOption = Annotated[DeadLetterReason | None, typer.Option(help="Only those with this reason.")]
SessionOption = Annotated[UUID | None, typer.Option(metavar="ID", help="Only those of this session.")]
UserOption = Annotated[UUID | None, typer.Option(metavar="ID", help="Only those of this user.")]
SinceOption = Annotated[
    datetime | None,
    typer.Option(metavar="WHEN", parser=moments.parse_moment, help=f"Only those that came since: {moments.HELP}"),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option(metavar="WHEN", parser=moments.parse_moment, help="Only those that came before that moment."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

dead_letters = typer.Typer(no_args_is_help=True, help="List, show and replay the records that were not stored.")


@dead_letters.command("list", epilog="Example: attemptlog dead-letters list --reason seq_conflict --since 24h")
def list_letters(
    *,
    reason: ReasonOption = None,
    session: SessionOption = None,
    user: UserOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    settled: Annotated[bool, typer.Option("--settled", help="Also those that a replay has stored since.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Show the newest so many.")] = 20,
    by: ByOption = None,
    why: WhyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count dead letters by reason, and list the newest."""
    selection = Selection(None, reason, session, user, since, until)
    settings = OperatorSettings()
    note(settings, looker("dead-letters list", by, why), user=user, session=session)
    counts, letters = count_and_list(settings.database, selection, settled=settled, limit=limit)
    if as_json:
        print_json({"counts": counts, "letters": letters})
    else:
        out.print(_count_table(counts))
        if letters:
            out.print(_list_table(letters))


@dead_letters.command("show", epilog="Example: attemptlog dead-letters show 17")
def show(
    letter_id: Annotated[int, typer.Argument(metavar="ID", help="The letter's number, as `list` shows it.")],
    by: ByOption = None,
    why: WhyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one dead letter, beside what is stored in its place, and who replayed it."""
    settings = OperatorSettings()
    letter = read_letter(settings.database, letter_id)
    row = letter.row
    note(settings, looker("dead-letters show", by, why), user=row["user_id"], session=row["session_id"])
    if as_json:
        print_json(letter.as_data())
        return
    out.print(_letter_table(letter.row))
    if letter.event:
        out.print(_event_table(letter))
    else:
        out.print(Text(f"value: {readable(letter.row['value']) or 'none (a tombstone)'}"))
    if letter.replays:
        out.print(_replay_table(letter.replays))


@dead_letters.command("replay", epilog="Example: attemptlog dead-letters replay --reason unknown_session --apply")
def replay(
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID", help="Only these.")] = None,
    *,
    reason: ReasonOption = None,
    session: SessionOption = None,
    user: UserOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, say what would become of them.")] = False,
    by: ByOption = None,
    why: WhyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put dead letters through the consumer's checks again; what passes is stored, the rest stays as it is.

    Those that a replay has stored are left out. Without --apply nothing is changed.
    """
    selection = Selection(ids, reason, session, user, since, until)
    settings, who = OperatorSettings(), looker("dead-letters replay", by, why)
    note(settings, who, user=user, session=session)
    name, pseudonyms = who.by if apply else None, pseudonyms_of(settings.pseudonym_key)
    outcomes = asyncio.run(replay_selected(settings.database, selection, name, _progress, pseudonyms))
    if as_json:
        print_json({"applied": apply, "letters": outcomes.total(), "outcomes": outcomes})
    else:
        _print_outcomes(outcomes, applied=apply)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("Replaying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.advance(task, count)


def _print_outcomes(outcomes: Counter[str], *, applied: bool) -> None:
    if not outcomes:
        out.print("No dead letter is left that fits.")
        return
    table = Table("outcome", title="Replayed" if applied else "What a replay would do", title_justify="left")
    table.add_column("letters", justify="right")
    for outcome, count in sorted(outcomes.items(), key=lambda item: item[0] not in STORED):
        table.add_row(outcome if outcome in STORED else f"still {outcome}", f"{count:,}")
    out.print(table)
    if not applied:
        out.print("Nothing was changed: run it again with --apply to do it.")


def _count_table(counts: list[TableRow]) -> Table:
    table = Table("reason", title="Dead letters", title_justify="left")
    for name in ("open", "stored since"):
        table.add_column(name, justify="right")
    for row in counts:
        table.add_row(row["reason"], f"{row['open']:,}", f"{row['settled']:,}")
    return table


def _list_table(letters: list[TableRow]) -> Table:
    table = Table(box=None)
    for name in ("id", "first seen (UTC)", "reason", "session"):
        table.add_column(name, no_wrap=name != "reason", overflow="fold")
    for row in letters:
        reason = row["reason"] + (f", then {row['replay_outcome']}" if row["replay_outcome"] else "")
        table.add_row(str(row["id"]), moments.shown(row["first_seen_at"])[:-4], reason, row["session_id"])
    return table


def _letter_table(row: TableRow) -> Table:
    table = Table(title=f"Dead letter {row['id']}", title_justify="left", show_header=False)
    facts = {
        "reason": row["reason"],
        "detail": visible(row["detail"] or ""),
        "first seen": moments.shown(row["first_seen_at"]),
        "record": f"{row['topic']}, partition {row['partition']}, offset {row['kafka_offset']}",
        "key": readable(row["key"]) or "",
        "session": row["session_id"] or "",
        "user": row["user_id"] or "",
        "last replay": f"{moments.shown(row['replayed_at'])} {row['replay_outcome'] or 'none'}".strip(),
    }
    for name, value in facts.items():
        table.add_row(name, Text(value))
    return table


def _event_table(letter: LetterInFull) -> Table:
    versions = [*letter.stored, letter.event or {}]
    table = Table("", *["stored"] * len(letter.stored), "dead letter", title="The event", title_justify="left")
    for name in FIELDS:
        style = "red" if name in letter.differences else ""
        table.add_row(name, *(Text(_field_text(name, version)) for version in versions), style=style)
    return table


def _replay_table(replays: list[TableRow]) -> Table:
    table = Table("replay", "at (UTC)", "by", "database user", "outcome", title="Replays", title_justify="left")
    for row in replays:
        who = (Text(visible(row["replayed_by"])), Text(visible(row["database_user"])))
        outcome = ": ".join(filter(None, (row["outcome"], visible(row["detail"] or ""))))
        table.add_row(str(row["replay_id"]), moments.shown(row["replayed_at"]), *who, Text(outcome))
    return table


def _field_text(name: str, event: Mapping[str, Any]) -> str:
    """Return a field of an event for people."""
    value = event[name]
    if value is None:
        return ""
    if isinstance(value, datetime):
        return moments.shown(value)
    return visible(orjson.dumps(value).decode() if isinstance(value, dict) else str(value))
