"""What is said of an exam to whoever may see it, from the figures that are kept; and the sessions behind each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

Looking = AsyncConnection[DictRow]

MOST_EXAMS = 500
MOST_GROUPS = 500
MOST_MOVES = 5000  # of 70 questions, each after each other
MOST_TIMES = 5000
PAGE_OF_SESSIONS = 100

SELECT_EXAMS = """
SELECT found.exam_id::text, titles.title, found.sessions, found.last_event_at
FROM (
    SELECT exam_id, count(*) AS sessions, greatest(max(began_at), max(ended_at)) AS last_event_at
    FROM readable_session_figures
    WHERE exam_id IS NOT NULL
    GROUP BY exam_id
) AS found
LEFT JOIN readable_exam_titles AS titles ON titles.exam_id = found.exam_id
ORDER BY found.last_event_at DESC, found.exam_id
LIMIT %(limit)s
"""

SELECT_EXAM = """
SELECT
    (SELECT title FROM readable_exam_titles WHERE exam_id = %(exam)s) AS title,
    as_of,
    due
FROM exam_freshness(%(exam)s)
WHERE EXISTS (SELECT FROM readable_exam_questions WHERE exam_id = %(exam)s)
    OR EXISTS (SELECT FROM readable_session_figures WHERE exam_id = %(exam)s)
"""

SELECT_GROUPS = """
SELECT DISTINCT group_name
FROM readable_groups
WHERE exam_id = %(exam)s
ORDER BY group_name
LIMIT %(limit)s
"""

SELECT_AMONG = """
SELECT array_agg(session_id) AS among
FROM readable_session_figures
WHERE exam_id = %(exam)s
    AND (%(since)s::timestamptz IS NULL OR began_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR began_at < %(until)s)
    AND (
        %(group)s::text IS NULL
        OR user_id IN (SELECT user_id FROM readable_groups WHERE exam_id = %(exam)s AND group_name = %(group)s)
    )
"""

SELECT_COVERAGE = """
WITH found AS MATERIALIZED (
    SELECT session_id, completion, log_reason, time_ms
    FROM exam_session_indicators(%(exam)s, %(among)s)
)
SELECT
    count(*) AS sessions,
    count(*) FILTER (WHERE log_reason IS NULL) AS complete,
    (
        SELECT coalesce(jsonb_object_agg(log_reason, times), '{}')
        FROM (SELECT log_reason, count(*) AS times FROM found WHERE log_reason IS NOT NULL GROUP BY log_reason) AS each
    ) AS reasons,
    (
        SELECT coalesce(jsonb_object_agg(completion, times), '{}')
        FROM (SELECT completion, count(*) AS times FROM found GROUP BY completion) AS each
    ) AS completion,
    ARRAY(
        SELECT time_ms FROM found WHERE time_ms IS NOT NULL ORDER BY session_id LIMIT %(limit)s
    ) AS times
FROM found
"""

SELECT_QUESTIONS = """
SELECT
    figures.*,
    titles.title,
    row_number() OVER (ORDER BY titles.position, figures.question_id) AS position
FROM exam_question_indicators(%(exam)s, %(among)s) AS figures
LEFT JOIN readable_question_titles AS titles
    ON titles.exam_id = %(exam)s AND titles.question_id = figures.question_id
ORDER BY position
"""

SELECT_NAVIGATION = """
SELECT *
FROM exam_navigation(%(exam)s, %(among)s)
ORDER BY moves DESC, from_question_id, to_question_id
LIMIT %(limit)s
"""

SELECT_EFFORT = """
SELECT count(effort) AS known, count(*) FILTER (WHERE effort < 0.9) AS below_090
FROM exam_effort(%(exam)s, %(among)s)
"""

# The sessions that a figure counts, as exam_question_indicators and exam_effort do.
SELECT_BEHIND_QUESTION = """
SELECT array_agg(session_id) AS behind
FROM readable_question_figures
WHERE exam_id = %(exam)s
    AND question_id = %(question)s
    AND CASE %(figure)s
        WHEN 'viewed' THEN visits > 0
        WHEN 'times' THEN visits > 0 AND dwell_ms IS NOT NULL
        WHEN 'rapid' THEN visits > 0 AND dwell_ms < (
            SELECT rapid_below_ms FROM exam_question_indicators(%(exam)s, %(among)s) WHERE question_id = %(question)s
        )
        WHEN 'changed' THEN changes > 0
        ELSE change_kind = %(figure)s
    END
"""

SELECT_BEHIND = {
    "marked": """
SELECT array_agg(session_id) AS behind
FROM readable_session_figures
WHERE exam_id = %(exam)s
    AND answers_reason IS NULL
    AND EXISTS (SELECT FROM readable_answer_keys WHERE exam_id = %(exam)s AND question_id = %(question)s)
""",
    "moved": """
SELECT array_agg(session_id) AS behind
FROM readable_session_moves
WHERE exam_id = %(exam)s AND from_question_id = %(question)s AND to_question_id = %(to_question)s
""",
    "time": """
SELECT array_agg(session_id) AS behind
FROM readable_session_figures
WHERE exam_id = %(exam)s
    AND time_ms IS NOT NULL
    AND (%(at_least_ms)s::numeric IS NULL OR time_ms >= %(at_least_ms)s)
    AND (%(below_ms)s::numeric IS NULL OR time_ms < %(below_ms)s)
""",
    "effort_known": """
SELECT array_agg(session_id) AS behind
FROM exam_effort(%(exam)s, %(among)s)
WHERE effort IS NOT NULL
""",
    "effort_below_090": """
SELECT array_agg(session_id) AS behind
FROM exam_effort(%(exam)s, %(among)s)
WHERE effort < 0.9
""",
}

# The total stands on a row of its own where the page is beyond the last session.
SELECT_SESSIONS = """
WITH found AS MATERIALIZED (
    SELECT
        figures.session_id::text, user_id::text, began_at, completion, time_ms, time_reason, marks, marks_reason,
        answered, answers_reason, absences, counts_reason AS absences_reason, effort, effort.reason AS effort_reason,
        is_complete, log_reason
    FROM exam_session_indicators(%(exam)s, %(among)s) AS figures
    LEFT JOIN exam_effort(%(exam)s, %(among)s) AS effort ON effort.session_id = figures.session_id
    WHERE (%(completion)s::text IS NULL OR completion = %(completion)s)
        AND (%(complete)s::boolean IS NULL OR is_complete = %(complete)s)
        AND (%(reason)s::text IS NULL OR log_reason = %(reason)s)
        AND (%(behind)s::uuid[] IS NULL OR figures.session_id = ANY(%(behind)s))
)
SELECT all_of_them.total, page.*
FROM (SELECT count(*) AS total FROM found) AS all_of_them
LEFT JOIN LATERAL (
    SELECT *
    FROM found
    WHERE %(after_at)s::timestamptz IS NULL OR (began_at, session_id) > (%(after_at)s, %(after_id)s::text)
    ORDER BY began_at, session_id
    LIMIT %(limit)s
) AS page ON true
ORDER BY page.began_at, page.session_id
"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The sessions of an exam that began in [since, until), of the candidates in a group; None chooses all."""

    exam: UUID
    since: datetime | None = None
    until: datetime | None = None
    group: str | None = None

    @property
    def is_everybody(self) -> bool:
        return self.since is None and self.until is None and self.group is None


@dataclass(frozen=True, slots=True)
class Behind:
    """Which of them are listed: those that a figure counts, and those whose log is so; None lists all.

    `at_least_ms` and `below_ms` are of the figure `time`.
    """

    figure: str | None = None
    at_least_ms: float | None = None
    below_ms: float | None = None
    question: UUID | None = None
    to_question: UUID | None = None
    completion: str | None = None
    complete: bool | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ExamPage:
    """What is said of an exam: rows of the functions of migration 0014."""

    about: DictRow
    groups: list[str]
    coverage: DictRow
    questions: list[DictRow]
    navigation: list[DictRow]
    effort: DictRow


async def read_exams(looking: Looking) -> list[DictRow]:
    """Return the exams that have figures, those with the newest beginning or end of a session first."""
    return await _all(looking, SELECT_EXAMS, {"limit": MOST_EXAMS})


async def read_exam(looking: Looking, chosen: Chosen) -> ExamPage | None:
    """Return what is said of the chosen sessions, None where there is no such exam, or it may not be seen."""
    which: dict[str, Any] = {"exam": chosen.exam}
    about = await _all(looking, SELECT_EXAM, which)
    if not about:
        return None
    which["among"] = await _among(looking, chosen)
    [coverage] = await _all(looking, SELECT_COVERAGE, which | {"limit": MOST_TIMES})
    groups = await _all(looking, SELECT_GROUPS, which | {"limit": MOST_GROUPS})
    [effort] = await _all(looking, SELECT_EFFORT, which)
    return ExamPage(
        about[0],
        [row["group_name"] for row in groups],
        coverage,
        await _all(looking, SELECT_QUESTIONS, which),
        await _all(looking, SELECT_NAVIGATION, which | {"limit": MOST_MOVES}),
        effort,
    )


async def read_sessions(
    looking: Looking, chosen: Chosen, behind: Behind, after: tuple[datetime, str] | None
) -> tuple[int, list[DictRow]] | None:
    """Return how many sessions there are, and a page of them from `after` on, one more than PAGE_OF_SESSIONS at most.

    None where there is no such exam, or it may not be seen.
    """
    which: dict[str, Any] = {"exam": chosen.exam, "question": behind.question, "to_question": behind.to_question}
    which |= {"at_least_ms": behind.at_least_ms, "below_ms": behind.below_ms}
    if not await _all(looking, SELECT_EXAM, which):
        return None
    which["among"] = await _among(looking, chosen)
    which["behind"] = await _behind(looking, behind.figure, which)
    which |= {"completion": behind.completion, "complete": behind.complete, "reason": behind.reason}
    which |= {"after_at": after and after[0], "after_id": after and after[1], "limit": PAGE_OF_SESSIONS + 1}
    rows = await _all(looking, SELECT_SESSIONS, which)
    return rows[0]["total"], [row for row in rows if row["session_id"] is not None]


async def _among(looking: Looking, chosen: Chosen) -> Sequence[UUID] | None:
    if chosen.is_everybody:
        return None
    which = {"exam": chosen.exam, "since": chosen.since, "until": chosen.until, "group": chosen.group}
    return (await _all(looking, SELECT_AMONG, which))[0]["among"] or []


async def _behind(looking: Looking, figure: str | None, which: dict[str, Any]) -> Sequence[UUID] | None:
    if figure is None:
        return None
    statement = SELECT_BEHIND.get(figure, SELECT_BEHIND_QUESTION)
    return (await _all(looking, statement, which | {"figure": figure}))[0]["behind"] or []


async def _all(looking: Looking, statement: str, which: dict[str, Any]) -> list[DictRow]:
    return await (await looking.execute(statement, which)).fetchall()
