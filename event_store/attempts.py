"""What is said of one session to whoever may see it: its events on one line, and what keeps it from being whole."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from attemptlog.event_store.timeline import Entry, timeline

MOST_LINES = 20_000

SELECT_SESSION = """
SELECT session_id::text, user_id::text, exam_id::text, exam_title, now() AS read_at
FROM readable_sessions
WHERE session_id = %(session)s
"""

SELECT_EVENTS = """
SELECT
    at, late_by, origin, run, seq, event_type, event_ts, client_ts, question_id::text, stream_id::text, sent_at,
    payload_json
FROM readable_timeline
WHERE session_id = %(session)s
ORDER BY at, stream_id, seq, id
LIMIT %(limit)s
"""

SELECT_STREAMS = """
SELECT stream_id::text, missing_seq, dropped
FROM readable_streams
WHERE session_id = %(session)s
ORDER BY first_event_ts, stream_id
"""

SELECT_LETTERS = """
SELECT id, reason, replay_outcome, first_seen_at, value
FROM readable_session_letters
WHERE session_id = %(session)s
ORDER BY id
LIMIT %(limit)s
"""

SELECT_LOG = """
SELECT events, lost, dead_letters, dropped, last_at
FROM readable_logs
WHERE session_id = %(session)s
"""

SELECT_INDICATORS = "SELECT * FROM readable_indicators WHERE session_id = %(session)s"

SELECT_QUESTIONS = """
SELECT figures.*, titles.position, titles.title
FROM readable_questions AS figures
LEFT JOIN readable_session_titles AS titles
    ON titles.session_id = %(session)s AND titles.question_id = figures.question_id
WHERE figures.session_id = %(session)s
ORDER BY titles.position, figures.question_id
"""

SELECT_ABSENCES = """
SELECT stream_id::text, left_at, back_at, state, in_another_tab, away_ms, reason
FROM readable_absences
WHERE session_id = %(session)s
ORDER BY coalesce(left_at, back_at), stream_id
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """All that is said of a session; `log` and `indicators` are None where it has dead letters and no event."""

    session: DictRow
    log: DictRow | None
    indicators: DictRow | None
    questions: list[DictRow]
    absences: list[DictRow]
    lines: list[Entry]
    more_lines: int
    open_letters: int

    @property
    def read_at(self) -> datetime:
        at: datetime = self.session["read_at"]
        return at


async def read_attempt(looking: AsyncConnection[DictRow], session_id: UUID) -> Attempt | None:
    """Return what is said of a session, None where nothing is stored of it, or it may not be seen."""
    which = {"session": session_id, "limit": MOST_LINES + 1}

    async def rows(statement: str) -> list[DictRow]:
        return await (await looking.execute(statement, which)).fetchall()

    sessions = await rows(SELECT_SESSION)
    if not sessions:
        return None
    events, letters = await rows(SELECT_EVENTS), await rows(SELECT_LETTERS)
    if not events and not letters:
        return None
    log, indicators = await rows(SELECT_LOG), await rows(SELECT_INDICATORS)
    entries = timeline(events, await rows(SELECT_STREAMS), letters)
    left_out = (log[0]["events"] if log else 0) - len(events) + max(0, len(entries) - MOST_LINES)
    return Attempt(
        sessions[0],
        log[0] if log else None,
        indicators[0] if indicators else None,
        await rows(SELECT_QUESTIONS),
        await rows(SELECT_ABSENCES),
        entries[:MOST_LINES],
        left_out,
        len(letters),
    )
