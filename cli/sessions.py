"""`attemptlog sessions`: what there is of a session, and which sessions lack something."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from attemptlog.cli import moments
from attemptlog.cli.console import fact_table, out, print_json
from attemptlog.cli.find_session import find_session
from attemptlog.cli.new_session import create
from attemptlog.cli.who import ByOption, WhyOption, looker, note
from attemptlog.event_store.dead_letters import TableRow, visible
from attemptlog.event_store.sessions import Session, read_session, read_streams_with_gaps
from attemptlog.event_store.timeline import DEAD_LETTER, DROP, EVENT, GAP, SERVICE, Entry, gaps
from attemptlog.runtime.settings import OperatorSettings

DEFAULT_AGE = timedelta(hours=24)
SHOWN_GAPS = 6  # on one line
SHORT = 8  # characters of a stream's id, where it stands beside others; --json has it in full

sessions = typer.Typer(no_args_is_help=True, help="Show a session's events or the sessions with gaps, or create one.")
sessions.command("create", epilog="Example: attemptlog sessions create --json > session.json")(create)
sessions.command("find", epilog="Example: attemptlog sessions find 9d20c6f1b7a34e0c8e55d1f7306b2c14")(find_session)


@sessions.command("show", epilog="Example: attemptlog sessions show 01890a5d-ac96-774b-bcce-b302099a8057")
def show(
    session_id: Annotated[UUID, typer.Argument(metavar="ID", help="The session.")],
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Show at most so many entries.")] = 1_000,
    by: ByOption = None,
    why: WhyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what happened in a session in the order in which it happened, what is missing, dead letters and drops.

    An event happened at the time shown, by the server's clock, or before that by up to what is shown beside it; a
    question mark where nobody can say. --json has the server's and the page's own time, too.

    A repeat that was recognised is counted in partition_ledger, per partition; it is not kept per session.
    """
    settings = OperatorSettings()
    session = read_session(settings.database, session_id, limit)
    owner = (session.owner or {}).get("user_id")
    note(settings, looker("sessions show", by, why), user=owner, session=session_id)
    if as_json:
        print_json(session.as_data())
        return
    out.print(fact_table(f"Session {session.session_id}", _facts(session)))
    if session.has_streams:
        out.print(_stream_table(session.streams))
    if session.entries:
        out.print(_timeline_table(session.entries))
    if session.left_out:
        out.print(f"… and {session.left_out} more: show them with --limit.")


@sessions.command("gaps", epilog="Example: attemptlog sessions gaps --since 2h")
def list_gaps(
    since: Annotated[
        datetime | None,
        typer.Option(
            metavar="WHEN",
            parser=moments.parse_moment,
            help=f"Sessions with an event since: {moments.HELP}",
            show_default="24h",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Show the so many that were last active.")] = 100,
    by: ByOption = None,
    why: WhyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the streams of sessions that lack numbers below their last one."""
    settings = OperatorSettings()
    note(settings, looker("sessions gaps", by, why))
    found = read_streams_with_gaps(settings.database, since or datetime.now(UTC) - DEFAULT_AGE, limit)
    if as_json:
        print_json(found)
    elif found:
        out.print(_gap_table(found))
    else:
        out.print("No session lacks a number.")


def ranges_text(missing: list[tuple[int, int]]) -> str:
    """Return gaps as text: 3-5, 9."""
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in missing[:SHOWN_GAPS]]
    return ", ".join(shown + ["…"] * (len(missing) > SHOWN_GAPS))


def _facts(session: Session) -> dict[str, str]:
    completeness, owner = session.completeness, session.owner or {}
    reasons = Counter(entry.reason for entry in session.entries if entry.kind == DEAD_LETTER)
    numbers = {} if session.has_streams else _numbers(completeness)
    return {
        "user": owner.get("user_id") or "there is no such session in test_sessions",
        "exam": owner.get("exam_id") or "none, so its questions are not checked",
        "events stored": f"{completeness['events_stored']:,}",
        **numbers,
        "dropped by its pages": _counts(session.dropped) or "none that they told of",
        "dead letters": _counts(reasons) or "none",
        "repeats": "counted per partition only: attemptlog audit",
        "submitted": "yes" if completeness["is_submitted"] else "no",
    }


def _numbers(completeness: TableRow) -> dict[str, str]:
    return {
        "first and last number": f"{completeness['first_seq']} to {completeness['last_seq']}",
        "missing": ranges_text(gaps(completeness["missing_seq"])) or "none",
    }


def _counts(counts: Mapping[str | None, int] | Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _stream_table(streams: list[TableRow]) -> Table:
    table = _narrow_table("stream", "since (UTC)", "numbers", "missing", "dropped")
    for row in streams:
        numbers = "" if row["last_seq"] is None else f"{row['first_seq']}-{row['last_seq']}"
        missing, dropped = ranges_text(gaps(row["missing_seq"])), _counts(row["dropped"] or {})
        table.add_row(row["stream_id"] or "none", _minute(row["first_event_ts"]), numbers, missing, dropped)
    return table


def _timeline_table(entries: list[Entry]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("time (UTC)", "late by", "of", "seq", "what"):
        justify: JustifyMethod = "right" if name in {"late by", "seq"} else "left"
        table.add_column(name, no_wrap=name != "what", justify=justify)
    for entry in entries:
        seq = "" if entry.seq is None else ranges_text([(entry.seq, entry.last_seq or entry.seq)])
        when = moments.shown(entry.at or entry.event_ts)[len("2026-") :]
        what = Text(visible(_what(entry)))
        style = None if entry.kind == EVENT else "red"
        table.add_row(when, _bound(entry), _origin(entry), seq, what, style=style)
    return table


def _origin(entry: Entry) -> str:
    return entry.stream_id[:SHORT] if entry.stream_id else entry.origin or ""


def _bound(entry: Entry) -> str:
    """Return by how much an event may have happened before the time shown: nothing for one of a service."""
    if entry.kind != EVENT or entry.origin == SERVICE:
        return ""
    return "?" if entry.late_by_ms is None else f"{entry.late_by_ms / 1000:.1f} s"


def _what(entry: Entry) -> str:
    if entry.kind == GAP:
        return "missing"
    if entry.kind == DROP:
        return f"{entry.count} dropped by the page: {entry.reason}"
    if entry.kind == EVENT:
        return entry.event_type or ""
    outcome = f", then {entry.outcome}" if entry.outcome else ""
    return f"{entry.event_type or 'a record'}: dead letter {entry.dead_letter}, {entry.reason}{outcome}"


def _gap_table(found: list[TableRow]) -> Table:
    table = _narrow_table("session", "stream", "last (UTC)", "over", "missing")
    for row in found:
        stream, is_over = _short(row["stream_id"]), "yes" if row["is_submitted"] else "no"
        missing = ranges_text(row["missing_seq"])
        table.add_row(row["session_id"], stream, _minute(row["last_event_ts"]), is_over, missing)
    return table


def _narrow_table(first: str, *others: str) -> Table:
    """Return a table that takes 80 columns beside an id of 36: the last column of all is the one that folds."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in (first, *others):
        table.add_column(name, no_wrap=name not in {"missing", "dropped"}, overflow="fold")
    return table


def _short(stream_id: str | None) -> str:
    return stream_id[:SHORT] if stream_id else "none"


def _minute(when: datetime) -> str:
    return moments.shown(when)[len("2026-") : -len(":00.000")]
