"""A person, or a session, is purged: all of it goes, nothing else does, and the books balance."""

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from attemptlog.event_store.purges import BATCH_EVENTS
from tests.support.consumer import envelope, query
from tests.support.http import insert_exam
from tests.support.letters import add_session
from tests.support.oldest_postgres import on_every_postgres
from tests.support.purge import (
    COUNT_WAITED_FOR,
    FILL,
    KEY,
    PSEUDONYMS,
    WAITING_FOR_A_LOCK,
    School,
    assert_books_balance,
    data,
    entries_locked,
    events,
    frozen_batch,
    list_of,
    purged,
    run,
    running,
    tables_with,
    wait_until,
)
from tests.support.secured import login

pytestmark = on_every_postgres


@pytest.fixture
def school(database_url: str) -> School:
    return School(database_url)


@pytest.fixture
def purger_url(database_url: str) -> str:
    """A login that may delete, and has no other rights."""
    return login(database_url, "attemptlog_purger", "secret")


# What goes, and what stays


def test_everything_of_a_person_goes_and_everything_else_stays(school: School, purger_url: str) -> None:
    url, anna, other = school.database_url, school.anna, school.other
    school.store(*events(other, 5), envelope(other, 1, payload_json=b"{}"), b"nobody's", None)
    before = school.checksums()
    school.store(*events(anna, 7), *events(school.second, 3))
    school.store(envelope(anna, 1, payload_json=b"{}"), replace(envelope(anna), session_id=other.session))
    school.store(replace(envelope(other), session_id=anna.session))
    assert run(url, "indicators", "refresh").exit_code == 0
    kept = {"session_figures", "question_figures"}
    assert kept < set(tables_with(url, anna.session, school.second.session))
    found = purged(purger_url, "--user", anna.user)
    assert found == {
        "applied": True, "purge": 1, "sessions": 2, "events": 10, "older_events": 0, "dead_letters": 3
    }  # fmt: skip
    assert run(url, "indicators", "refresh").exit_code == 0
    assert tables_with(url, *school.ids) == []
    assert school.checksums() == before
    assert query(url, "SELECT session_id::text FROM session_figures") == [other.session]
    assert_books_balance(url)


@pytest.mark.parametrize(
    "write",
    [
        lambda id_: f'{{"user_id":"{id_}"}}',
        lambda id_: f'{{"user_id":"{id_.upper()}"}}',
        lambda id_: id_.replace("-", ""),
        lambda id_: f"\\\x00\xff{id_}\n",
        lambda id_: f"0{id_.replace('-', '').upper()}0",
    ],
    ids=["lower case", "upper case", "without hyphens", "among bytes", "among digits"],
)
@pytest.mark.parametrize("which", [0, 2], ids=["person", "session"])
def test_what_nobody_could_read_goes_when_it_names_them(school: School, write: Any, which: int) -> None:
    text = write(school.ids[which]).encode("latin-1")
    school.store(text, b"not theirs")
    school.store(b"{}", key=text)
    assert purged(school.database_url, "--user", school.anna.user)["dead_letters"] == 2
    assert query(school.database_url, "SELECT value FROM dead_letters") == [b"not theirs"]
    assert_books_balance(school.database_url)


def test_a_session_goes_by_itself(school: School) -> None:
    url, anna = school.database_url, school.anna
    school.store(*events(school.second, 3), envelope(school.second, 1, payload_json=b"{}"))
    before = school.checksums()
    school.store(*events(anna, 4), f"of {anna.session}".encode())
    found = purged(url, "--session", anna.session)
    assert (found["sessions"], found["events"], found["dead_letters"]) == (1, 4, 1)
    assert tables_with(url, anna.session) == []
    assert school.checksums() == before
    assert list_of(url) == {PSEUDONYMS.of_session(anna.session.encode())}
    assert_books_balance(url)


def test_rows_from_before_attemptlog_go_and_are_counted_apart(school: School) -> None:
    url, anna = school.database_url, school.anna
    query(
        url,
        """
        INSERT INTO attempt_events (id, event_version, event_type, event_ts, session_id, user_id)
        SELECT gen_random_uuid(), 0, 'PAUSE_BLUR', now(), %s, %s FROM generate_series(1, 3)
        RETURNING id
        """,
        anna.session,
        anna.user,
    )
    school.store(*events(anna, 2))
    found = purged(url, "--user", anna.user)
    assert (found["events"], found["older_events"]) == (2, 3)
    assert_books_balance(url)


def test_a_session_that_the_platform_has_given_to_somebody_else_stays_theirs(school: School) -> None:
    url, anna = school.database_url, school.anna
    school.store(*events(anna, 2))
    query(url, "UPDATE test_sessions SET user_id = %s WHERE id = %s RETURNING id", school.other.user, anna.session)
    school.store(envelope(replace(anna, user=school.other.user), 3))
    assert purged(url, "--user", anna.user)["events"] == 2
    assert query(url, "SELECT seq FROM attempt_events") == [3]
    assert PSEUDONYMS.of_session(anna.session.encode()) not in list_of(url)


def test_what_was_replayed_and_looked_at_no_longer_names_them(school: School) -> None:
    url, anna = school.database_url, school.anna
    late = replace(anna, session=str(uuid4()))
    school.store(envelope(late, 1), envelope(late, 1, payload_json=b"{}"))
    add_session(url, late.session, late.user)
    for whom in (("--user", anna.user), ("--session", late.session), ()):
        data(url, "dead-letters", "replay", *whom, "--apply")
    data(url, "sessions", "show", late.session)
    assert {"dead_letter_replays", "data_accesses", "attempt_events"} <= set(
        tables_with(url, *school.ids, late.session)
    )
    found = purged(url, "--user", anna.user)
    assert (found["events"], found["dead_letters"]) == (1, 2)
    assert tables_with(url, *school.ids, late.session) == []
    assert query(url, "SELECT letters, replayed FROM purged_letters") == [(2, 1)]
    assert query(url, "SELECT count(*) FROM dead_letter_replay_outcomes") == [0]
    assert set(query(url, "SELECT filter ->> 'user' FROM dead_letter_replays")) == {"purge 1", None}
    assert UUID(PSEUDONYMS.of_user(anna.user.encode())) in query(
        url, "SELECT subject FROM data_accesses WHERE is_pseudonym AND subject_kind = 'user'"
    )
    assert_books_balance(url)


def test_the_platform_can_delete_its_rows_afterwards(school: School) -> None:
    url, anna = school.database_url, school.anna
    school.store(*events(anna, 2), *events(school.second, 2))
    purged(url, "--user", anna.user)
    query(url, "DELETE FROM test_sessions WHERE user_id = %s RETURNING id", anna.user)
    assert query(url, "DELETE FROM users WHERE id = %s RETURNING id::text", anna.user) == [anna.user]


def test_an_id_of_which_there_is_nothing_is_suppressed_from_now_on(school: School, purger_url: str) -> None:
    nobody = str(uuid4())
    for kind in ("--user", "--session"):
        assert "check it" in run(purger_url, "purge", kind, nobody).output
        assert purged(purger_url, kind, nobody)["events"] == 0
    pseudonyms = {PSEUDONYMS.of_user(nobody.encode()), PSEUDONYMS.of_session(nobody.encode())}
    assert list_of(school.database_url) == pseudonyms
    assert "check it" not in run(purger_url, "purge", "--user", school.anna.user).output


# What is kept, and shown


def test_a_dry_run_counts_what_goes_and_changes_nothing(school: School, purger_url: str) -> None:
    school.store(*events(school.anna, 7), f"of {school.second.session}".encode())
    before = school.checksums()
    counted = data(purger_url, "purge", "--user", school.anna.user)
    assert school.checksums() == before
    assert list_of(school.database_url) == set()
    looked = query(school.database_url, "SELECT command, subject_kind, subject::text FROM data_accesses")
    assert looked == [("purge", "user", school.anna.user)]
    assert counted == {"applied": False, "purge": None} | counts(purged(purger_url, "--user", school.anna.user))


def counts(found: Any) -> dict[str, int]:
    return {name: found[name] for name in ("sessions", "events", "older_events", "dead_letters")}


def test_it_is_kept_who_wanted_it_and_why_and_never_whom_it_was_about(school: School, purger_url: str) -> None:
    school.store(*events(school.anna, 2))
    words = ("--by", "the office", "--reason", "a letter of 2 March", "--apply")
    assert run(purger_url, "purge", "--user", school.anna.user, *words).exit_code == 0
    [listed] = data(purger_url, "purge", "list")
    assert (listed["kind"], listed["subject_kind"], listed["events"]) == ("purge", "user", 2)
    assert (listed["requested_by"], listed["reason"]) == ("the office", "a letter of 2 March")
    shown = run(purger_url, "purge", "status", 1)
    assert all(
        word in shown.output for word in ("the office", "a letter of 2 March", "a user", "PostgreSQL", "backups")
    )
    for output in (str(listed), shown.output):
        assert not any(each in output for each in school.ids)


def test_the_status_says_what_each_target_has_done(school: School, purger_url: str) -> None:
    for name in ("duckdb", "parquet"):
        query(
            school.database_url,
            "INSERT INTO export_targets (name, system_identifier) VALUES (%s, 1) RETURNING name",
            name,
        )
    purged(purger_url, "--user", school.anna.user)
    query(
        school.database_url, "INSERT INTO purge_targets (purge_id, target, rows) VALUES (1, 'parquet', 12) RETURNING 1"
    )
    result = run(purger_url, "purge", "status", 1, "--json")
    places = {place["name"]: place for place in orjson.loads(result.stdout)["places"]}
    assert result.exit_code == 1
    assert (places["parquet"]["state"], places["parquet"]["rows"]) == ("done", 12)
    assert places["duckdb"]["state"] == "pending"
    assert places["Kafka"]["state"] == "unknown"
    assert "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS" in places["Kafka"]["note"]


# What is refused


@pytest.mark.parametrize("what", [("--apply", "--reason", "asked"), ("--lift",)], ids=["purge", "lift"])
def test_without_the_key_nothing_is_done(school: School, what: tuple[str, ...]) -> None:
    school.store(*events(school.anna, 2))
    refused = run(school.database_url, "purge", "--user", school.anna.user, *what, key=None)
    assert refused.exit_code == 1
    assert "ATTEMPTLOG_PSEUDONYM_KEY" in refused.output
    assert "openssl rand -hex 32" in refused.output
    assert query(school.database_url, "SELECT count(*) FROM attempt_events") == [2]


@pytest.mark.parametrize("what", [("--apply", "--reason", "asked"), ("--lift",)], ids=["purge", "lift"])
def test_with_another_key_nothing_is_done(school: School, what: tuple[str, ...]) -> None:
    school.store(*events(school.anna, 2))
    purged(school.database_url, "--user", str(uuid4()))
    refused = run(school.database_url, "purge", "--user", school.anna.user, *what, key=KEY[::-1])
    assert refused.exit_code == 1
    assert "another one is set" in refused.output
    assert query(school.database_url, "SELECT count(*) FROM attempt_events") == [2]
    assert query(school.database_url, "SELECT count(*) FROM purges") == [1]


def test_a_login_that_may_not_delete_is_told_what_it_lacks(school: School) -> None:
    school.store(*events(school.anna, 2))
    for what in ((), ("--apply", "--reason", "asked")):
        refused = run(
            login(school.database_url, "attemptlog_exporter", "secret"), "purge", "--user", school.anna.user, *what
        )
        assert refused.exit_code == 1
        assert "may not DELETE attempt_events" in refused.output
        assert "Traceback" not in refused.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "say whom"),
        (("--user", str(uuid4()), "--session", str(uuid4())), "say whom"),
        (("--user", str(uuid4()), "--apply"), "--reason"),
        (("--user", str(uuid4()), "--apply", "--reason", " "), "--reason"),
        (("--user", "anna"), "--user"),
        (("--user", str(uuid4()), "status", "1"), "leave them out"),
        (("status", "99"), "There is no purge 99"),
        (("--user", str(uuid4()), "--reason", f"of {uuid4()}", "--apply"), "names an id"),
        (("--user", str(uuid4()), "--reason", "asked", "--by", str(uuid4()), "--apply"), "names an id"),
    ],
)
def test_wrong_use_gets_a_sentence(school: School, arguments: tuple[str, ...], sentence: str) -> None:
    refused = run(school.database_url, "purge", *arguments)
    assert refused.exit_code in (1, 2)
    assert sentence in refused.output
    assert "Traceback" not in refused.output
    assert query(school.database_url, "SELECT count(*) FROM purges") == [0]


# Lifted


def test_a_lift_ends_what_purges_of_the_same_subject_began(school: School, purger_url: str) -> None:
    url, anna = school.database_url, school.anna
    school.store(*events(anna, 2))
    purged(purger_url, "--user", anna.user)
    purged(purger_url, "--session", school.second.session)
    lift = ("purge", "--lift", "--user", anna.user)
    assert data(purger_url, *lift) == {
        "applied": False, "lift": None, "purges": [1], "entries": 3, "still": []
    }  # fmt: skip
    assert len(list_of(url)) == 3
    assert data(purger_url, *lift, "--reason", "came back", "--apply")["lift"] == 3
    assert list_of(url) == {PSEUDONYMS.of_session(school.second.session.encode())}
    [lifted, *_] = data(purger_url, "purge", "list")
    assert (lifted["kind"], lifted["reason"], lifted["sessions"]) == ("lift", "came back", 2)
    assert tables_with(url, *school.ids) == []
    assert run(purger_url, "purge", "status", 3).exit_code == 0
    refused = run(purger_url, *lift)
    assert (refused.exit_code, "nothing to lift" in refused.output) == (1, True)


def test_who_lifts_a_session_that_went_with_its_person_is_told_so(school: School) -> None:
    purged(school.database_url, "--user", school.anna.user)
    refused = run(school.database_url, "purge", "--lift", "--session", school.anna.session)
    assert (refused.exit_code, "lift that with --user" in refused.output) == (1, True)


def test_whoever_is_purged_again_after_a_lift_is_suppressed_again(school: School) -> None:
    url, anna = school.database_url, school.anna
    purged(url, "--user", anna.user)
    data(url, "purge", "--lift", "--user", anna.user, "--reason", "came back", "--apply")
    school.store(*events(anna, 2))
    assert purged(url, "--user", anna.user)["events"] == 2
    assert len(list_of(url)) == 3


# Killed, twice at once, beside those who store


BIG = BATCH_EVENTS + 1_000
KILLED = 8  # persons


def test_a_purge_that_is_killed_in_the_middle_is_gone_on_with(school: School, purger_url: str) -> None:
    url, anna = school.database_url, school.anna
    query(url, FILL, anna.session, anna.user, BIG)
    whom = ("purge", "--user", anna.user)
    with entries_locked(url), running(purger_url, *whom):
        wait_until(lambda: query(url, "SELECT events FROM purges") == [BATCH_EVENTS])
    assert query(url, "SELECT count(*) FROM attempt_events") == [BIG - BATCH_EVENTS]
    assert run(purger_url, "purge", "status", 1).exit_code == 1
    refused = run(purger_url, "purge", "--lift", "--user", anna.user)
    assert (refused.exit_code, "not finished" in refused.output) == (1, True)
    found = purged(purger_url, "--user", anna.user)
    assert (found["purge"], found["events"], found["sessions"]) == (1, BIG, 2)
    assert tables_with(url, *school.ids) == []


def test_purges_that_are_killed_at_any_step_end_as_if_they_had_not_been(school: School) -> None:
    url = school.database_url
    school.store(*events(school.other, 5), b"nobody's")
    before = school.checksums()
    persons = [insert_exam(url) for _ in range(KILLED + 1)]
    for exam in persons:
        unknown = replace(exam, session=str(uuid4()))
        school.store(*events(exam, 7), *events(unknown, 2), *[f"{n} of {exam.user.upper()}".encode() for n in range(3)])
    arguments = [url, "7", *(exam.user for exam in persons)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.support.killed_purges", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= KILLED / 2
    assert tables_with(url, *(each for exam in persons for each in (exam.user, exam.session))) == []
    assert school.checksums() == before
    assert query(url, "SELECT DISTINCT sessions, events, dead_letters FROM purges WHERE events > 0") == [(1, 7, 5)]
    assert_books_balance(url)


def test_two_at_once_purge_once(school: School, purger_url: str) -> None:
    url, anna = school.database_url, school.anna
    school.store(*events(anna, 3), *[f"{number} of {anna.user}".encode() for number in range(20)])
    query(url, FILL, school.second.session, anna.user, BIG)
    whom = ("purge", "--user", anna.user)
    with ExitStack() as exits:
        with frozen_batch(url):
            both = [exits.enter_context(running(purger_url, *whom)) for _ in range(2)]
            wait_until(lambda: query(url, COUNT_WAITED_FOR) == [2])  # one for the batch, one for its turn
        wait_until(lambda: [process.poll() for process in both] == [0, 0])
    assert tables_with(url, *school.ids) == []
    assert query(url, "SELECT sum(events)::integer, sum(dead_letters)::integer FROM purges") == [(BIG + 3, 20)]
    assert query(url, "SELECT sum(letters)::integer FROM purged_letters") == [20]


@pytest.mark.parametrize("frozen", [frozen_batch, entries_locked])
def test_others_store_while_a_purge_waits_for_one_that_is_frozen(school: School, frozen: Any) -> None:
    url, anna = school.database_url, school.anna
    school.store(*events(anna, 3))
    with ExitStack() as exits:
        with frozen(url):
            process = exits.enter_context(running(url, "purge", "--user", anna.user))
            wait_until(lambda: query(url, WAITING_FOR_A_LOCK))
            school.store(*events(school.other, 5))
            assert process.poll() is None
        wait_until(lambda: process.poll() == 0)
    assert query(url, "SELECT count(*) FROM attempt_events") == [5]
