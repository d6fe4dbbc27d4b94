"""What the database shows whom as attemptlog_reader, whatever the console asks it for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from attemptlog.event_store.viewing import GRANTS, SAY_WHO_LOOKS, Viewer
from attemptlog.runtime.roles import role_faults
from attemptlog.runtime.transactions import open_transaction
from tests.support.oldest_postgres import on_every_postgres
from tests.support.two_exams import CLASS, OTHER, OTHERS, ROSTER, TwoExams, two_exams

pytestmark = on_every_postgres

ONE = CLASS[0]
NOBODY = "00000000-0000-4000-8000-000000000000"

CANDIDATE = Viewer(ONE.user_id, "candidate")
EXAMINER = Viewer(NOBODY, "examiner", (ROSTER.exam_id,))
OF_NOTHING = Viewer(NOBODY, "examiner")
OPERATOR = Viewer(NOBODY, "operator")
AUDITOR = Viewer(NOBODY, "auditor")

OF_SESSION = [
    f"readable_{name}"
    for name in ("sessions", "timeline", "logs", "visits", "absences", "answers", "questions", "indicators", "streams")
]
OF_EXAM = [
    f"readable_{name}"
    for name in (
        "session_figures",
        "question_figures",
        "session_moves",
        "exam_questions",
        "answer_keys",
        "exam_titles",
        "question_titles",
        "groups",
    )
]
EVERY = sorted(name for name in GRANTS if name.startswith("readable_"))


@pytest.fixture(scope="module")
def exams(postgres_url: str, template_database: str) -> Iterator[TwoExams]:
    with two_exams(postgres_url, template_database) as it:
        yield it


@contextmanager
def looking(exams: TwoExams, viewer: Viewer | None) -> Iterator[psycopg.Connection[Any]]:
    """A transaction of the login that reads, in which the viewer looks."""
    with psycopg.connect(exams.reader) as connection:
        if viewer:
            connection.execute(SAY_WHO_LOOKS, viewer.parameters)
        yield connection


def ids(connection: psycopg.Connection[Any], view: str, column: str) -> set[str]:
    query = sql.SQL("SELECT DISTINCT {}::text FROM {}").format(sql.Identifier(column), sql.Identifier(view))
    return {id_ for (id_,) in connection.execute(query).fetchall()}


def of(sittings: list[Any]) -> set[str]:
    return {sitting.session_id for sitting in sittings}


@pytest.mark.parametrize("view", OF_SESSION)
def test_of_sessions_each_sees_their_own(exams: TwoExams, view: str) -> None:
    asked = [ONE.session_id, CLASS[1].session_id, OTHERS[0].session_id]
    shown = {
        viewer: _shows(exams, viewer, view, *asked) for viewer in (CANDIDATE, EXAMINER, OF_NOTHING, OPERATOR, AUDITOR)
    }
    assert shown == {
        CANDIDATE: [True, False, False],
        EXAMINER: [True, True, False],
        OF_NOTHING: [False] * 3,
        OPERATOR: [False] * 3,
        AUDITOR: [True] * 3,
    }


def _shows(exams: TwoExams, viewer: Viewer, view: str, *sessions: str) -> list[bool]:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE session_id = %s)").format(sql.Identifier(view))
    with looking(exams, viewer) as connection:
        return [shown for session in sessions for (shown,) in connection.execute(query, [session]).fetchall()]


@pytest.mark.parametrize("view", OF_EXAM)
def test_of_exams_each_sees_those_that_are_listed(exams: TwoExams, view: str) -> None:
    def shown(viewer: Viewer) -> set[str]:
        with looking(exams, viewer) as connection:
            return ids(connection, view, "exam_id")

    of_both = shown(AUDITOR)
    assert ROSTER.exam_id in of_both
    assert shown(EXAMINER) == {ROSTER.exam_id}
    assert [shown(viewer) for viewer in (CANDIDATE, OF_NOTHING, OPERATOR)] == [set()] * 3
    assert OTHER.exam_id in of_both or view in {"readable_question_titles", "readable_groups"}


@pytest.mark.parametrize("view", EVERY)
def test_whoever_does_not_say_who_looks_is_told_so(exams: TwoExams, view: str) -> None:
    with looking(exams, None) as connection, pytest.raises(InsufficientPrivilege) as raised:
        connection.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier(view)))
    assert raised.value.diag.message_primary == "nobody has said who looks"
    assert "set_config('attemptlog.viewer_role'" in (raised.value.diag.message_hint or "")


@pytest.mark.parametrize("role", ["", "owner", "Auditor", "auditor ", "candidate,auditor"])
def test_a_role_that_nobody_knows_sees_nothing(exams: TwoExams, role: Any) -> None:
    with looking(exams, Viewer(ONE.user_id, role)) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute("SELECT * FROM readable_sessions")


@pytest.mark.parametrize("id_", ["", "x", "' OR true --"])
def test_a_candidate_has_an_id(exams: TwoExams, id_: str) -> None:
    with looking(exams, Viewer(id_, "candidate")) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute("SELECT * FROM readable_sessions")


@pytest.mark.parametrize("listed", ["", "x", "{x}", "*", "{NULL}"])
def test_an_examiner_has_a_list_of_exams(exams: TwoExams, listed: str) -> None:
    with looking(exams, EXAMINER) as connection:
        connection.execute("SELECT set_config('attemptlog.viewer_exams', %s, true)", [listed])
        if listed == "{NULL}":
            assert not connection.execute("SELECT * FROM readable_sessions").fetchall()
            return
        with pytest.raises(InsufficientPrivilege):
            connection.execute("SELECT * FROM readable_sessions")


def test_who_looks_is_forgotten_with_the_transaction(exams: TwoExams) -> None:
    with psycopg.connect(exams.reader, autocommit=True) as connection:
        with connection.transaction():
            connection.execute(SAY_WHO_LOOKS, AUDITOR.parameters)
            connection.execute("SELECT * FROM readable_sessions")
        with pytest.raises(InsufficientPrivilege):
            connection.execute("SELECT * FROM readable_sessions")


def test_the_reader_has_its_views_and_may_write_down_who_looked_and_nothing_else(exams: TwoExams) -> None:
    found = exams.rows(
        """
        SELECT relname::text, string_agg(privilege, ', ' ORDER BY privilege)
        FROM pg_class
        CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
            AS privilege
        WHERE relnamespace = 'public'::regnamespace
            AND relkind IN ('r', 'v', 'm', 'p', 'f')
            AND CASE
                WHEN privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
                    THEN has_any_column_privilege('attemptlog_reader', oid, privilege)
                ELSE has_table_privilege('attemptlog_reader', oid, privilege)
            END
        GROUP BY relname
        """
    )
    assert dict(found) == dict(GRANTS) | {"attemptlog_version": "SELECT"}


@pytest.mark.parametrize("table", ["attempt_events", "test_sessions", "session_figures", "all_answer_keys"])
def test_what_is_behind_the_views_is_refused(exams: TwoExams, table: str) -> None:
    with looking(exams, AUDITOR) as connection, pytest.raises(InsufficientPrivilege, match="permission denied"):
        connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))


LEAK = """
CREATE FUNCTION pg_temp.told(it text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
    RAISE NOTICE '%', it;
    RETURN true;
END
$$
"""


@pytest.mark.parametrize(
    ("view", "column"),
    [("sessions", "user_id"), ("timeline", "session_id"), ("session_figures", "session_id"), ("groups", "user_id")],
)
def test_a_function_in_a_condition_is_told_of_no_row_that_is_hidden(exams: TwoExams, view: str, column: str) -> None:
    viewer = OF_NOTHING if view in {"session_figures", "groups"} else CANDIDATE
    told: set[str] = set()
    with looking(exams, viewer) as connection:
        connection.add_notice_handler(lambda notice: told.add(notice.message_primary or ""))
        connection.execute(LEAK)
        query = sql.SQL("SELECT FROM {} WHERE pg_temp.told({}::text)")
        connection.execute(query.format(sql.Identifier(f"readable_{view}"), sql.Identifier(column)))
    assert told == ({ONE.user_id if column == "user_id" else ONE.session_id} if viewer is CANDIDATE else set())


def test_a_candidate_sees_nothing_of_a_session_that_was_somebody_elses(exams: TwoExams) -> None:
    given, had = CLASS[-1], CLASS[-2]
    now_theirs = Viewer(had.user_id, "candidate")
    exams.run("UPDATE test_sessions SET user_id = %s WHERE id = %s", had.user_id, given.session_id)
    try:
        viewers = now_theirs, Viewer(given.user_id, "candidate"), EXAMINER
        shown = [_shows(exams, viewer, "readable_timeline", given.session_id) for viewer in viewers]
    finally:
        exams.run("UPDATE test_sessions SET user_id = %s WHERE id = %s", given.user_id, given.session_id)
    assert shown == [[False], [False], [True]]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


# An event is read by several parts of a view, each by the index: so many pages for some 170 of them.
MOST_PAGES = 600


@pytest.mark.parametrize("view", [*OF_SESSION, "readable_session_letters"])
def test_a_condition_on_the_session_reaches_the_index(exams: TwoExams, view: str) -> None:
    query = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM {} WHERE session_id = %s")
    for viewer in (CANDIDATE, EXAMINER):
        with looking(exams, viewer) as connection:
            connection.execute("SET LOCAL enable_seqscan = off")
            [[[found]]] = connection.execute(query.format(sql.Identifier(view)), [ONE.session_id]).fetchall()
        plan = found["Plan"]
        scans = [it for it in nodes(plan) if it.get("Relation Name") in {"attempt_events", "dead_letters"}]
        assert all("session_id" in it.get("Index Cond", it.get("Recheck Cond", "")) for it in scans), json.dumps(scans)
        assert scans or view == "readable_sessions"
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < MOST_PAGES


async def test_what_a_reader_lacks_is_told(exams: TwoExams) -> None:
    async def faults() -> list[str]:
        async with open_transaction(exams.url) as connection:
            return await role_faults(connection, {"attemptlog_reader": GRANTS})

    assert await faults() == []
    exams.run("REVOKE SELECT ON readable_timeline FROM attemptlog_reader")
    try:
        [told] = await faults()
    finally:
        exams.run("GRANT SELECT ON readable_timeline TO attemptlog_reader")
    assert "may not SELECT readable_timeline: GRANT SELECT ON readable_timeline TO attemptlog_reader_" in told


@pytest.mark.parametrize("view", ["readable_session_figures", "readable_question_figures", "readable_session_moves"])
def test_a_condition_on_the_exam_reaches_the_index(exams: TwoExams, view: str) -> None:
    query = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM {} WHERE exam_id = %s")
    for viewer in (EXAMINER, AUDITOR):
        with looking(exams, viewer) as connection:
            connection.execute("SET LOCAL enable_seqscan = off")
            [[[found]]] = connection.execute(query.format(sql.Identifier(view)), [OTHER.exam_id]).fetchall()
        plan = found["Plan"]
        scans = [it for it in nodes(plan) if it.get("Relation Name") == "session_figures"]
        assert any("exam_id" in it.get("Index Cond", it.get("Recheck Cond", "")) for it in scans), json.dumps(scans)
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < MOST_PAGES
