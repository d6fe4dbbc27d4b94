"""`attemptlog sessions`: what there is of a session, and which sessions lack something."""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer
from psycopg.rows import dict_row
from psycopg.types.multirange import Multirange
from rich.table import Table
from rich.text import Text

from cli import moments
from cli.console import fact_table, out, print_json
from cli.errors import OperatorError
from cli.letters import Row, visible
from cli.settings import CliSettings
from cli.timeline import DEAD_LETTER, EVENT, GAP, Entry, gaps, timeline

DEFAULT_AGE = timedelta(hours=24)
SHOWN_GAPS = 6  # on one line

SELECT_SESSION = "SELECT user_id::text, exam_id::text FROM test_sessions WHERE id = %(session)s"

SELECT_COMPLETENESS = """
SELECT first_seq, last_seq, events_stored, missing_seq, is_submitted
FROM session_completeness
WHERE session_id = %(session)s
"""

SELECT_EVENTS = """
SELECT seq, event_type, event_ts, client_ts, question_id::text
FROM attempt_events
WHERE session_id = %(session)s
ORDER BY seq, event_ts
LIMIT %(limit)s
"""

SELECT_LETTERS = """
SELECT id, reason, replay_outcome, first_seen_at, value
FROM dead_letters
WHERE session_id = %(session)s
ORDER BY id
LIMIT %(limit)s
"""

# The events since then by the index on event_ts, then one session after the other until there are enough; OFFSET 0
# keeps the planner from working out the whole view for a join.
SELECT_SESSIONS_WITH_GAPS = """
SELECT found.session_id::text, last_event_ts, last_seq, events_stored, missing_seq, is_submitted
FROM (
    SELECT session_id, max(event_ts) AS last_event_ts
    FROM attempt_events
    WHERE event_ts >= %(since)s
    GROUP BY session_id
    ORDER BY last_event_ts DESC
) AS found
CROSS JOIN LATERAL (
    SELECT *
    FROM session_completeness
    WHERE session_completeness.session_id = found.session_id
    OFFSET 0
) AS completeness
WHERE NOT isempty(missing_seq)
ORDER BY last_event_ts DESC
LIMIT %(limit)s
"""

NO_EVENTS: Row = {
    "first_seq": None,
    "last_seq": None,
    "events_stored": 0,
    "missing_seq": Multirange[int](),
    "is_submitted": False,
}


@dataclass(frozen=True, slots=True)
class Session:
    """All that is known of a session; `owner` is its row in test_sessions, None when there is none."""

    session_id: str
    owner: Row | None
    completeness: Row
    entries: list[Entry]
    left_out: int

    @property
    def missing(self) -> list[tuple[int, int]]:
        """The first and the last number of every gap."""
        return gaps(self.completeness["missing_seq"])

    def as_data(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        owner = self.owner or {"user_id": None, "exam_id": None}
        found = {"is_known": self.owner is not None, "missing_seq": self.missing, "left_out": self.left_out}
        entries = [_without_nulls(entry) for entry in self.entries]
        return {"session_id": self.session_id} | owner | self.completeness | found | {"timeline": entries}


def _without_nulls(entry: Entry) -> Row:
    return {name: value for name, value in asdict(entry).items() if value is not None}


sessions = typer.Typer(no_args_is_help=True, help="Show a session's events, or the sessions with gaps.")


@sessions.command("show", epilog="Example: attemptlog sessions show 01890a5d-ac96-774b-bcce-b302099a8057")
def show(
    session_id: Annotated[UUID, typer.Argument(metavar="ID", help="The session.")],
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Show at most so many entries.")] = 1_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a session's events by number with both clocks, what is missing, and its dead letters.

    A repeat that was recognised is counted in partition_ledger, per partition; it is not kept per session.
    """
    session = read_session(CliSettings().database, session_id, limit)
    if as_json:
        print_json(session.as_data())
        return
    out.print(fact_table(f"Session {session.session_id}", _facts(session)))
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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the sessions that lack numbers below their last one."""
    found = read_sessions_with_gaps(CliSettings().database, since or datetime.now(UTC) - DEFAULT_AGE, limit)
    if as_json:
        print_json(found)
    elif found:
        out.print(_gap_table(found))
    else:
        out.print("No session lacks a number.")


def read_session(database_url: str, session_id: UUID, limit: int) -> Session:
    """Return a session with at most `limit` entries; raise OperatorError when nothing is known of it."""
    which = {"session": session_id, "limit": limit + 1}
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        owner = connection.execute(SELECT_SESSION, which).fetchone()
        completeness = connection.execute(SELECT_COMPLETENESS, which).fetchone() or NO_EVENTS
        events = connection.execute(SELECT_EVENTS, which).fetchall()
        letters = connection.execute(SELECT_LETTERS, which).fetchall()
    if not (owner or events or letters):
        raise OperatorError(f"There is no session {session_id}, and no event or dead letter of it: check the id.")
    entries = timeline(events, gaps(completeness["missing_seq"]), letters)
    left_out = completeness["events_stored"] - len(events) + max(0, len(entries) - limit)
    return Session(str(session_id), owner, completeness, entries[:limit], left_out)


def read_sessions_with_gaps(database_url: str, since: datetime, limit: int) -> list[Row]:
    """Return the sessions with an event since then that lack numbers, the one that was last active first."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        rows = connection.execute(SELECT_SESSIONS_WITH_GAPS, {"since": since, "limit": limit}).fetchall()
    return [row | {"missing_seq": gaps(row["missing_seq"])} for row in rows]


def ranges_text(missing: list[tuple[int, int]]) -> str:
    """Return gaps as text: 3-5, 9."""
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in missing[:SHOWN_GAPS]]
    return ", ".join(shown + ["…"] * (len(missing) > SHOWN_GAPS))


def _facts(session: Session) -> dict[str, str]:
    completeness, owner = session.completeness, session.owner or {}
    reasons = Counter(entry.reason for entry in session.entries if entry.kind == DEAD_LETTER)
    return {
        "user": owner.get("user_id") or "there is no such session in test_sessions",
        "exam": owner.get("exam_id") or "none, so its questions are not checked",
        "events stored": f"{completeness['events_stored']:,}",
        "first and last number": f"{completeness['first_seq']} to {completeness['last_seq']}",
        "missing": ranges_text(session.missing) or "none",
        "dead letters": ", ".join(f"{reason} {count}" for reason, count in reasons.items()) or "none",
        "repeats": "counted per partition only: attemptlog audit",
        "submitted": "yes" if completeness["is_submitted"] else "no",
    }


def _timeline_table(entries: list[Entry]) -> Table:
    table = Table(box=None)
    for name in ("seq", "what", "server's time (UTC)", "client's time (UTC)"):
        table.add_column(name, no_wrap=name == "seq", justify="right" if name == "seq" else "left")
    for entry in entries:
        seq = "" if entry.seq is None else ranges_text([(entry.seq, entry.last_seq or entry.seq)])
        times = moments.shown(entry.event_ts), moments.shown(entry.client_ts)
        table.add_row(seq, Text(visible(_what(entry))), *times, style=None if entry.kind == EVENT else "red")
    return table


def _what(entry: Entry) -> str:
    if entry.kind == GAP:
        return "missing"
    if entry.kind == EVENT:
        return entry.event_type or ""
    outcome = f", then {entry.outcome}" if entry.outcome else ""
    return f"{entry.event_type or 'a record'}: dead letter {entry.dead_letter}, {entry.reason}{outcome}"


def _gap_table(found: list[Row]) -> Table:
    table = Table("session", "last event (UTC)", "stored", "last", "submitted", "missing", box=None)
    for column in table.columns[:2]:
        column.no_wrap = True
    for row in found:
        numbers = (str(row["events_stored"]), str(row["last_seq"]), "yes" if row["is_submitted"] else "no")
        when = moments.shown(row["last_event_ts"])[:-4]
        table.add_row(row["session_id"], when, *numbers, ranges_text(row["missing_seq"]))
    return table
