"""Sessions go for their age: whole, with their dead letters, and resumed where it was interrupted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from attemptlog.event_store.purges import BATCH_EVENTS
from attemptlog.schemas import Envelope
from tests.support.consumer import query
from tests.support.http import Exam
from tests.support.oldest_postgres import on_every_postgres
from tests.support.purge import (
    FILL,
    PSEUDONYMS,
    School,
    assert_books_balance,
    data,
    entries_locked,
    events,
    list_of,
    run,
    running,
    tables_with,
    wait_until,
)
from tests.support.secured import login

pytestmark = on_every_postgres

OLD = datetime.now(UTC) - timedelta(days=500)
YOUNG = datetime.now(UTC) - timedelta(days=300)
FILL_OLD = FILL.replace("now()", "now() - interval '500 days'")
AGE = ("retention", "--older-than", "400d")


@pytest.fixture
def school(database_url: str) -> School:
    return School(database_url)


@pytest.fixture
def purger_url(database_url: str) -> str:
    """A login that may delete, and has no other rights."""
    return login(database_url, "attemptlog_purger", "secret")


def at(when: datetime, exam: Exam, *numbers: int) -> list[Envelope]:
    return [event for event in events(exam, max(numbers), event_ts=when) if event.seq in numbers]


def age_letters(database_url: str, when: datetime) -> None:
    """Have all dead letters that there are come then."""
    query(database_url, "UPDATE dead_letters SET first_seen_at = %s RETURNING id", when)


def test_what_ended_long_ago_goes_whole_and_everything_else_stays_whole(school: School, purger_url: str) -> None:
    url, anna = school.database_url, school.anna
    school.store(*at(OLD, school.other, 1, 2), *at(YOUNG, school.other, 3), b"of nobody")
    before = school.checksums()
    school.store(*at(OLD, anna, 1, 2, 3), *at(OLD, anna, 4), f"of {anna.session}".encode())
    school.store(*events(anna, 1, event_ts=OLD, payload_json=b"{}"))
    age_letters(url, OLD)
    query(url, "UPDATE dead_letters SET first_seen_at = now() WHERE session_id IS NOT NULL OR id = 1 RETURNING id")
    counted = data(purger_url, *AGE)
    found = data(purger_url, *AGE, "--apply")
    assert (found["purge"], found["sessions"], found["events"], found["dead_letters"]) == (1, 1, 4, 2)
    assert {"applied": True, "purge": 1, "ended_before": found["ended_before"]}.items() <= found.items()
    assert {name: counted[name] for name in COUNTS} == {name: found[name] for name in COUNTS}
    assert tables_with(url, anna.session) == []
    assert without(school.checksums(), "dead_letters") == without(before, "dead_letters")
    assert query(url, "SELECT value FROM dead_letters") == [b"of nobody"]
    assert list_of(url) == {PSEUDONYMS.of_session(anna.session.encode())}
    assert_books_balance(url)
    [listed] = data(purger_url, "purge", "list")
    assert (listed["kind"], listed["subject_kind"], listed["reason"]) == ("retention", None, "retention")


COUNTS = ("sessions", "events", "older_events", "dead_letters")


def without(found: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != name}


def test_what_went_for_its_age_is_not_lifted(school: School) -> None:
    school.store(*at(OLD, school.anna, 1))
    data(school.database_url, *AGE, "--apply")
    refused = run(school.database_url, "purge", "--lift", "--session", school.anna.session)
    assert (refused.exit_code, "went for its age" in refused.output) == (1, True)


def test_a_dry_run_changes_nothing(school: School) -> None:
    school.store(*at(OLD, school.anna, 1))
    before = school.checksums()
    assert "Nothing was changed" in run(school.database_url, *AGE).output
    assert school.checksums() == before
    assert query(school.database_url, "SELECT count(*) FROM purges") == [0]


def test_the_second_time_there_is_nothing_left_to_do(school: School) -> None:
    school.store(*at(OLD, school.anna, 1, 2))
    assert [data(school.database_url, *AGE, "--apply")["events"] for _ in range(2)] == [2, 0]


def test_many_events_of_one_instant_in_a_session_that_stays_keep_nobody_from_going(school: School) -> None:
    url = school.database_url
    query(url, FILL_OLD, school.other.session, school.other.user, 2 * BATCH_EVENTS)
    school.store(*at(YOUNG, school.other, 1), *at(YOUNG - timedelta(days=150), school.anna, 1))
    assert data(url, *AGE, "--apply")["events"] == 1
    assert query(url, "SELECT count(*) FROM attempt_events") == [2 * BATCH_EVENTS + 1]


def test_one_that_is_killed_in_the_middle_is_gone_on_with(school: School, purger_url: str) -> None:
    url, anna = school.database_url, school.anna
    big = BATCH_EVENTS + 1_000
    query(url, FILL_OLD, anna.session, anna.user, big)
    with entries_locked(url), running(purger_url, *AGE):
        wait_until(lambda: query(url, "SELECT events FROM purges") == [BATCH_EVENTS])
    assert query(url, "SELECT count(*) FROM attempt_events") == [big - BATCH_EVENTS]
    school.store(*at(OLD, school.second, 1))
    found = data(purger_url, *AGE, "--apply")
    assert (found["purge"], found["events"], found["sessions"]) == (1, big + 1, 2)
    assert query(url, "SELECT count(*), count(finished_at) FROM purges") == [(1, 1)]
    assert tables_with(url, anna.session, school.second.session) == []


@pytest.mark.parametrize("begun", [("30d",), ("500d", "--keep-exports")], ids=["of a later end", "of another kind"])
def test_one_that_does_something_else_is_not_gone_on_with(school: School, begun: tuple[str, ...]) -> None:
    url = school.database_url
    data(url, "retention", "--older-than", *begun, "--apply")
    query(url, "UPDATE purges SET finished_at = NULL RETURNING id")
    assert data(url, *AGE, "--apply")["purge"] == 2
    assert query(url, "SELECT id FROM purges WHERE finished_at IS NOT NULL") == [2]


def test_it_is_kept_whether_exported_rows_stay(school: School) -> None:
    query(school.database_url, "INSERT INTO export_targets (name, system_identifier) VALUES ('parquet', 1) RETURNING 1")
    for options, state in (((), "pending"), (("--keep-exports",), "kept")):
        number = data(school.database_url, *AGE, *options, "--apply")["purge"]
        [*places] = orjson.loads(run(school.database_url, "purge", "status", number, "--json").stdout)["places"]
        assert [place["state"] for place in places if place["name"] == "parquet"] == [state]


@pytest.mark.parametrize("age", ["1h", "23h", "2999-01-01", "soon", "01890a5d-ac96-774b-bcce-b302099a8057"])
def test_an_age_at_which_an_exam_may_go_on_is_refused(school: School, age: str) -> None:
    school.store(*at(OLD, school.anna, 1))
    refused = run(school.database_url, "retention", "--older-than", age, "--apply")
    assert refused.exit_code == 2
    assert "Traceback" not in refused.output
    assert query(school.database_url, "SELECT count(*) FROM attempt_events") == [1]


def test_without_the_key_nothing_is_done(school: School) -> None:
    school.store(*at(OLD, school.anna, 1))
    refused = run(school.database_url, *AGE, "--apply", key=None)
    assert (refused.exit_code, "ATTEMPTLOG_PSEUDONYM_KEY" in refused.output) == (1, True)
    assert query(school.database_url, "SELECT count(*) FROM attempt_events") == [1]
