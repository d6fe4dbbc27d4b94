"""Figures of sessions that are told event by event, and what the commands say of them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from attemptlog.schemas import Envelope
from tests.support.consumer import Partition, envelope, query
from tests.support.http import Exam, insert_exam
from tests.support.letters import attemptlog, data, store_records

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
FIRST, SECOND = str(UUID(int=1)), str(UUID(int=2))


@pytest.fixture
def exam(database_url: str) -> Exam:
    return insert_exam(database_url)


class Told:
    """Events of a session; each stream counts for itself, and a service's have no number."""

    def __init__(self, exam: Exam) -> None:
        self.exam = exam
        self.events: list[Envelope] = []
        self._last: dict[str, int] = {}

    def page(self, at: float, event_type: str, stream: str = FIRST, **payload: Any) -> "Told":
        self._last[stream] = self._last.get(stream, 0) + 1
        when = BEGIN + timedelta(seconds=at)
        times = {"event_ts": when, "client_ts": when, "sent_at": when, "stream_id": stream}
        return self._add(event_type, self._last[stream], payload, times)

    def service(self, at: float, event_type: str, **payload: Any) -> "Told":
        return self._add(event_type, None, payload, {"event_ts": BEGIN + timedelta(seconds=at)})

    def blur(self, at: float, stream: str = FIRST) -> "Told":
        return self.page(at, "PAUSE_BLUR", stream, state="blur")

    def focus(self, at: float, stream: str = FIRST, **away: Any) -> "Told":
        return self.page(at, "PAUSE_BLUR", stream, state="focus", **away)

    def view(self, at: float, stream: str = FIRST) -> "Told":
        return self.page(at, "QUESTION_VIEWED", stream, pos=1)

    def end(self, at: float) -> "Told":
        return self.service(at, "SESSION_SUBMITTED", answered=1)

    def figures(self, database_url: str) -> dict[str, Any]:
        store_records(database_url, Partition().records(*self.events))
        found: dict[str, Any] = data(database_url, "indicators", "session", self.exam.session)
        return found

    def _add(self, event_type: str, seq: int | None, payload: dict[str, Any], times: dict[str, Any]) -> "Told":
        asked = None if event_type.startswith(("SESSION", "PAUSE", "REVIEW")) else self.exam.question
        fields = {"event_type": event_type, "question_id": asked, "payload_json": orjson.dumps(payload)}
        self.events.append(envelope(self.exam, seq, **(fields | times)))
        return self


ABSENCES = ("absences", "absences_known_ms", "absences_of_unknown_length", "absences_in_another_tab")


def absences(found: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(found[name] for name in ABSENCES)


def test_an_absence_that_is_reported_twice_is_one(database_url: str, exam: Exam) -> None:
    told = Told(exam).view(0).blur(5).blur(6).focus(9, away_ms=3000).focus(10, away_ms=5000).end(20)
    found = told.figures(database_url)
    assert absences(found) == (1, 5000, 0, 0)
    [question] = found["questions"]
    assert (question["dwell_ms"], question["present_ms"]) == (20_000, 15_000)


def test_an_absence_without_a_return_is_counted_and_has_no_length(database_url: str, exam: Exam) -> None:
    found = Told(exam).view(0).blur(5).focus(6, away_ms=1000).blur(7).end(20).figures(database_url)
    assert absences(found) == (2, 1000, 1, 0)
    [question] = found["questions"]
    assert (question["present_ms"], question["present_reason"]) == (None, "not_back")


def test_an_absence_over_a_reload_is_one_of_unknown_length(database_url: str, exam: Exam) -> None:
    found = Told(exam).view(0).blur(5).view(9, SECOND).focus(9, SECOND).end(20).figures(database_url)
    assert absences(found) == (1, 0, 1, 0)
    assert (found["visits"], found["revisits"]) == (1, 0)


def test_who_is_in_another_tab_of_the_exam_is_not_away_from_it(database_url: str, exam: Exam) -> None:
    told = Told(exam).view(0).blur(5).view(6, SECOND).blur(11, SECOND).focus(12, away_ms=7000).end(20)
    found = told.figures(database_url)
    assert found["absences_in_another_tab"] == 2
    [question] = found["questions"]
    assert (question["dwell_ms"], question["present_ms"]) == (20_000, 20_000)


@pytest.mark.parametrize(
    "payload", [{}, {"choice": "2"}, {"choice": None}, {"choice": [1]}, {"choice": -1}, {"choice": 1e300}]
)
def test_what_a_payload_holds_breaks_nothing(database_url: str, exam: Exam, payload: dict[str, Any]) -> None:
    told = Told(exam).view(0).page(3, "ANSWER_SELECTED", **payload).page(4, "NAVIGATE_NEXT", dwell_ms="soon")
    found = told.blur(5).focus(6, away_ms={"ms": 3}).end(20).figures(database_url)
    assert (found["completion"], found["visits"]) == ("submitted", 1)
    assert absences(found) == (1, 0, 1, 0)


def test_an_answer_that_replaces_another_one_than_the_last_tells_that_one_is_missing(
    database_url: str, exam: Exam
) -> None:
    told = Told(exam).view(0).service(3, "ANSWER_SELECTED", choice=0)
    found = told.service(5, "ANSWER_CHANGED", choice=2, prev_choice=1).end(20).figures(database_url)
    [question] = found["questions"]
    assert (question["changes"], question["mark"], question["answers_reason"]) == (None, None, "chain")
    assert (found["changes"], found["answers_reason"], found["visits"]) == (None, "chain", 1)
    shown = attemptlog(database_url, "indicators", "session", exam.session).output
    assert "unknown: an answer is missing" in shown


@pytest.mark.parametrize(("key", "kind"), [(2, "WR"), (0, "RW"), (1, "WW")])
def test_a_change_is_told_by_the_first_and_the_last_answer(database_url: str, exam: Exam, key: int, kind: str) -> None:
    give_key(database_url, exam, key)
    told = (
        Told(exam).view(0).service(3, "ANSWER_SELECTED", choice=0).service(4, "ANSWER_CHANGED", choice=3, prev_choice=0)
    )
    found = told.service(5, "ANSWER_CHANGED", choice=2, prev_choice=3).end(20).figures(database_url)
    [question] = found["questions"]
    assert (question["change_kind"], question["changes"], question["mark"]) == (kind, 2, int(key == 2))
    assert question["first_answer_ms"] == 3000


def test_without_a_key_there_are_no_marks_and_it_is_said(database_url: str, exam: Exam) -> None:
    found = Told(exam).view(0).service(3, "ANSWER_SELECTED", choice=0).end(20).figures(database_url)
    assert (found["marks"], found["marks_reason"], found["answered"]) == (None, "no_key", 1)


def test_what_a_page_dropped_or_a_dead_letter_holds_is_missing(database_url: str, exam: Exam) -> None:
    told = Told(exam).view(0).end(20)
    told.events[0].dropped = {"too_large": 1}
    found = told.figures(database_url)
    assert (found["visits"], found["log_reason"], found["completion"]) == (None, "dropped", "submitted")
    query(
        database_url,
        "INSERT INTO dead_letters (topic, partition, kafka_offset, reason, session_id) "
        "VALUES ('t', 0, 99, 'unknown_question', %s) RETURNING id",
        exam.session,
    )
    again = data(database_url, "indicators", "session", exam.session)
    assert (again["answered"], again["log_reason"], again["first_action_ms"]) == (None, "dead_letter", None)


def test_a_session_without_an_end_is_open_or_unknown(database_url: str, exam: Exam) -> None:
    found = Told(exam).view(0).page(5, "MARK_FOR_REVIEW_TOGGLED", pos=1, marked=True).figures(database_url)
    assert (found["completion"], found["visits"], found["log_reason"]) == ("open", None, "no_end")
    assert found["first_action_ms"] == 5000
    shown = attemptlog(database_url, "indicators", "session", exam.session).output
    assert "unknown: the session has no end" in shown


def test_an_expired_session_is_over(database_url: str, exam: Exam) -> None:
    found = Told(exam).view(0).service(60, "SESSION_EXPIRED", answered=0).figures(database_url)
    assert (found["completion"], found["time_ms"], found["answered"]) == ("expired", 60_000, 0)


def test_an_exam_says_how_many_logs_are_complete(database_url: str, exam: Exam) -> None:
    give_key(database_url, exam, 0)
    Told(exam).view(0).service(3, "ANSWER_SELECTED", choice=0).end(20).figures(database_url)
    found = data(database_url, "indicators", "exam", exam.exam)
    assert (found["sessions"], found["complete"], found["completion"]) == (1, 1, {"submitted": 1})
    [question] = found["by_question"]
    assert (question["mean_ms"], question["facility"], question["rapid_reason"]) == (20_000, 1, "too_few")
    assert found["by_session"][0]["effort_reason"] == "too_few"
    shown = attemptlog(database_url, "indicators", "exam", exam.exam, columns=80).output
    assert "1 of 1" in shown
    assert "too few" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_who_looked_is_remembered(database_url: str, exam: Exam) -> None:
    Told(exam).view(0).end(20).figures(database_url)
    attemptlog(database_url, "indicators", "exam", exam.exam, "--why", "to see how hard it was")
    seen = query(database_url, "SELECT command, subject_kind, subject::text, reason FROM data_accesses")
    assert ("indicators session", "session", exam.session, None) in seen
    assert ("indicators session", "user", exam.user, None) in seen
    assert ("indicators exam", "everybody", None, "to see how hard it was") in seen


@pytest.mark.parametrize("what", ["session", "exam"])
def test_what_nobody_knows_is_a_mistake(database_url: str, what: str) -> None:
    result = attemptlog(database_url, "indicators", what, UUID(int=9))
    assert (result.exit_code, "check the id" in result.output) == (1, True)


def give_key(database_url: str, exam: Exam, choice: int) -> None:
    query(
        database_url,
        "INSERT INTO answer_keys VALUES (%s, %s, %s) RETURNING choice",
        exam.exam,
        exam.question,
        choice,
    )
