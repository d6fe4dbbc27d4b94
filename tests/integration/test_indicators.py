"""What the events say of a session and of an exam, against what was done, and with each event missing in turn."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from attemptlog.simulation.candidate import roster_of, sittings_of
from tests.support.indicators import figures_of, moodle, moves_of
from tests.support.oldest_postgres import on_every_postgres
from tests.support.sat import COPY, rows_of, seat
from tests.support.services import temporary_database, with_database

pytestmark = on_every_postgres

CANDIDATES = 40
NEAR = 60  # milliseconds: the quickest request takes 50
ROSTER = roster_of(CANDIDATES, "indicators")
CLASS = list(sittings_of(CANDIDATES, "indicators"))
KEY = ROSTER.key
SHORT = min(CLASS, key=lambda sitting: len(sitting.events))


class Tables:
    """The events of a class, and what is said of them."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def store(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with self.connection.cursor() as cursor, cursor.copy(COPY) as copy:
            for number, row in enumerate(rows):
                copy.write_row((UUID(int=number + 1), 1, *row))

    def session(self, session_id: str) -> dict[str, Any]:
        [row] = self.read("SELECT * FROM session_indicators WHERE session_id = %s", session_id)
        return row

    def questions(self, session_id: str) -> dict[str, dict[str, Any]]:
        rows = self.read("SELECT * FROM session_questions WHERE session_id = %s", session_id)
        return {str(row["question_id"]): row for row in rows}

    def visits(self, session_id: str) -> list[dict[str, Any]]:
        return self.read("SELECT * FROM session_visits WHERE session_id = %s ORDER BY visit", session_id)

    def of_exam(self, function: LiteralString) -> list[dict[str, Any]]:
        self.read("SELECT * FROM refresh_figures(%s)", 1000)
        return self.read(f"SELECT * FROM {function}(%s)", ROSTER.exam_id)  # noqa: S608

    def read(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return self.connection.execute(query.encode(), values).fetchall()


@pytest.fixture(scope="module")
def empty(postgres_url: str, template_database: str) -> Iterator[Tables]:
    with temporary_database(postgres_url, template=template_database) as name:
        url = with_database(postgres_url, name)
        # what is said of exams is said to those who say who looks
        auditor = "-c attemptlog.viewer_role=auditor"
        with psycopg.connect(url, autocommit=True, row_factory=dict_row, options=auditor) as connection:
            asyncio.run(seat(url, ROSTER))
            yield Tables(connection)


@pytest.fixture
def tables(empty: Tables) -> Iterator[Tables]:
    """The tables without an event, and without one afterwards."""
    with empty.connection.transaction(force_rollback=True):
        yield empty


def test_the_exam_of_a_class_has_a_title_and_its_questions_their_order(tables: Tables) -> None:
    assert [it["title"] for it in tables.read("SELECT title FROM exam_titles")] == [ROSTER.title]
    asked = tables.read("SELECT question_id, position FROM question_titles ORDER BY position")
    assert [(str(it["question_id"]), it["position"]) for it in asked] == [
        (question, position) for position, question in enumerate(KEY, 1)
    ]


@pytest.mark.parametrize("with_service", [False, True])
def test_figures_of_sessions_are_those_of_what_was_done(tables: Tables, with_service: bool) -> None:
    sittings = CLASS[:12]
    tables.store([row for sitting in sittings for row in rows_of(sitting, with_service=with_service)])
    for sitting in sittings:
        expected, found = figures_of(sitting), tables.session(sitting.session_id)
        assert (found["completion"], found["is_complete"], found["log_reason"]) == ("submitted", True, None)
        assert abs(found["time_ms"] - expected.time_ms) <= NEAR
        assert abs(found["first_action_ms"] - expected.first_action_ms) <= NEAR
        assert found["actions"] == expected.actions
        assert found["visits"] == len(expected.path)
        assert (found["absences"], found["absences_known_ms"]) == (expected.absences, expected.known_ms)
        assert found["absences_of_unknown_length"] == expected.of_unknown_length
        assert found["marks"] == sum(asked.mark(KEY[name]) for name, asked in expected.questions.items())
        questions = tables.questions(sitting.session_id)
        assert questions.keys() == expected.questions.keys()
        for name, asked in expected.questions.items():
            it = questions[name]
            assert (it["visits"], it["revisits"]) == (asked.visits, asked.visits - 1)
            assert abs(it["dwell_ms"] - asked.dwell_ms) <= NEAR * asked.visits
            assert it["changes"] == max(0, len(asked.choices) - 1)
            assert (it["first_choice"], it["last_choice"]) == (
                (asked.choices[0], asked.choices[-1]) if asked.choices else (None, None)
            )
            assert it["mark"] == asked.mark(KEY[name])
            if asked.first_answer_ms is not None:
                assert abs(it["first_answer_ms"] - asked.first_answer_ms) <= NEAR


def test_figures_of_an_exam_are_those_of_an_independent_computation(tables: Tables) -> None:
    tables.store([row for sitting in CLASS for row in rows_of(sitting)])
    expected = [figures_of(sitting) for sitting in CLASS]
    marks = [
        {name: it.questions[name].mark(key) if name in it.questions else 0 for name, key in KEY.items()}
        for it in expected
    ]
    found = {str(row["question_id"]): row for row in tables.of_exam("exam_question_indicators")}
    assert found.keys() == KEY.keys()
    for name, row in found.items():
        mine = [float(each[name]) for each in marks]
        facility, index, efficiency = moodle(mine, [sum(each.values()) - each[name] for each in marks])
        assert float(row["facility"]) == pytest.approx(facility, abs=1e-5)
        assert float(row["discrimination"]) == pytest.approx(index, abs=1e-4)
        assert float(row["efficiency"]) == pytest.approx(efficiency, abs=1e-4)
        times = [it.questions[name].dwell_ms for it in expected if name in it.questions]
        assert (row["sessions"], row["complete"], row["times"]) == (CANDIDATES, CANDIDATES, len(times))
        assert float(row["mean_ms"]) == pytest.approx(fmean(times), abs=NEAR * 10)
        assert float(row["median_ms"]) == pytest.approx(median(times), abs=NEAR * 10)
        assert float(row["rapid_below_ms"]) == pytest.approx(min(fmean(times) / 10, 10_000), abs=NEAR)
        assert row["rapid"] == sum(time < row["rapid_below_ms"] for time in times)
    moves = {
        (str(r["from_question_id"]), str(r["to_question_id"])): r["moves"] for r in tables.of_exam("exam_navigation")
    }
    assert moves == moves_of([it.path for it in expected])
    effort = {str(row["session_id"]): row for row in tables.of_exam("exam_effort")}
    for sitting, it in zip(CLASS, expected, strict=True):
        solved = [asked.dwell_ms >= found[name]["rapid_below_ms"] for name, asked in it.questions.items()]
        assert float(effort[sitting.session_id]["effort"]) == pytest.approx(fmean(solved), abs=1e-6)
    assert len(tables.of_exam("exam_session_indicators")) == CANDIDATES


FIGURES = {
    "time_ms": "time_reason",
    "first_action_ms": "first_action_reason",
    **dict.fromkeys(
        ("actions", "visits", "revisits", "questions_viewed", "absences", "absences_known_ms"), "counts_reason"
    ),
    **dict.fromkeys(("answered", "changes"), "answers_reason"),
    **dict.fromkeys(("wrong_to_right", "right_to_wrong", "wrong_to_wrong", "right_to_right", "marks"), "marks_reason"),
}
OF_QUESTION = {
    "visits": "visits_reason",
    "dwell_ms": "dwell_reason",
    "present_ms": "present_reason",
    "first_answer_ms": "first_answer_reason",
    "changes": "answers_reason",
    "mark": "mark_reason",
}


def assert_known_or_reasoned(found: dict[str, Any], whole: dict[str, Any], figures: dict[str, str]) -> None:
    for name, reason in figures.items():
        if found[name] is None:
            assert found[reason] is not None, name
        else:
            assert (found[name], found[reason]) == (whole[name], None), name


@pytest.mark.parametrize("with_service", [False, True])
def test_without_an_event_what_depends_on_it_is_null_with_the_reason_and_the_rest_stays(
    tables: Tables, with_service: bool
) -> None:
    rows = rows_of(SHORT, with_service=with_service)
    session = SHORT.session_id
    numbers = [row[4] for row in rows if row[4] is not None]
    with tables.connection.transaction(force_rollback=True):
        tables.store(rows)
        whole, questions, visits = tables.session(session), tables.questions(session), tables.visits(session)
    first_action = next(
        row[4] for row in sorted(rows, key=lambda row: row[4] or 0) if row[0].startswith(("NAV", "MARK"))
    )
    assert whole["first_action_ms"] is not None
    for number in numbers:
        with tables.connection.transaction(force_rollback=True):
            tables.store([row for row in rows if row[4] != number])
            if with_service and number == numbers[-1]:
                continue  # nothing tells of what a page never sent at its end
            found = tables.session(session)
            assert_known_or_reasoned(found, whole, FIGURES)
            for name, row in tables.questions(session).items():
                assert_known_or_reasoned(row, questions[name], OF_QUESTION)
            is_last = number == numbers[-1]
            if not is_last:
                assert (found["completion"], found["counts_reason"], found["visits"]) == ("submitted", "gap", None)
                assert (found["changes"] is None) == (not with_service)
                assert (found["first_action_ms"] is None) == (number <= first_action)
                stay = [visit for visit in tables.visits(session) if visit["reason"] is None]
                before = {(visit["since"], visit["dwell_ms"]) for visit in visits}
                assert {(visit["since"], visit["dwell_ms"]) for visit in stay} <= before
                assert len(visits) - len(stay) <= 2
            elif not with_service:
                assert (found["completion"], found["counts_reason"], found["time_ms"]) == ("open", "no_end", None)


VIEWS = ("timeline", "logs", "visits", "absences", "answers", "questions", "indicators")


def test_figures_of_one_session_are_read_by_the_index(tables: Tables) -> None:
    tables.store([row for sitting in CLASS for row in rows_of(sitting, with_service=True)])
    tables.connection.execute("ANALYZE attempt_events")
    for view in VIEWS:
        asked = f"EXPLAIN SELECT * FROM session_{view} WHERE session_id = %s"  # noqa: S608
        plan = [row["QUERY PLAN"] for row in tables.read(asked, SHORT.session_id)]
        conditions = [after for line, after in pairwise(plan) if " on attempt_events" in line]
        assert conditions
        assert [each for each in conditions if "Cond: (" not in each or "session_id = " not in each] == []
