"""All that is held about a person, as JSON and as a page."""

import stat
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psycopg
import pytest

from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.schemas import encode
from tests.support.consumer import Partition, envelope, query
from tests.support.http import Exam, insert_exam
from tests.support.letters import attemptlog, data, store_records

CLOCK = datetime(2026, 3, 2, 9, 14, 5, 123457, tzinfo=UTC)
EXACT = b'{"choice":2,"large":9007199254740993,"text":"<script>alert(1)</script>"}'

PURGES = """
WITH entered AS (
    INSERT INTO purges (kind, subject_kind, subject, ended_before, requested_by, reason, events, keeps_exports)
    VALUES
        ('purge', 'user', %(user)s, NULL, 'Ada', 'asked for it', 5, false),
        ('purge', 'user', %(other)s, NULL, 'Ada', 'of another', 6, false),
        ('retention', NULL, NULL, now(), 'Ada', 'too old', 700, true)
)
INSERT INTO suppressions (pseudonym, purge_id)
VALUES (%(user)s, 1), (%(other)s, 2), (%(session)s, 3)
"""

TARGETS = """
WITH entered AS (
    INSERT INTO export_targets (name, system_identifier) VALUES ('duckdb', 1), ('parquet', 1), ('xapi', 1)
)
INSERT INTO purge_targets (purge_id, target, rows) VALUES (1, 'parquet', 3), (1, 'xapi', NULL)
"""


@pytest.fixture
def exam(database_url: str) -> Exam:
    return insert_exam(database_url)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def report(database_url: str, user: str, *options: object) -> Any:
    return data(database_url, "person", "report", "--user", user, *options)


def page(database_url: str, user: str) -> str:
    result = attemptlog(database_url, "person", "report", "--user", user, "--html", "person.html")
    assert result.exit_code == 0, result.output
    return Path("person.html").read_text()


def test_events_are_in_order_and_exact_and_nobody_elses(database_url: str, exam: Exam) -> None:
    first, second = "0192f3a1-52c4-4d21-9d3e-8a1f6c0b7e01", "0292f3a1-52c4-4d21-9d3e-8a1f6c0b7e02"
    events = [
        envelope(exam, 2, event_ts=CLOCK, stream_id=second),
        envelope(exam, 5, event_ts=CLOCK, stream_id=first, payload_json=EXACT),
        envelope(exam, 4, event_ts=CLOCK, stream_id=first),
        envelope(exam, 1, event_ts=CLOCK - timedelta(seconds=1), stream_id=second),
        envelope(insert_exam(database_url), 1),
    ]
    store_records(database_url, Partition().records(*events))
    found = report(database_url, exam.user)
    [session] = found["sessions"]
    assert (session["session_id"], session["exam_id"], session["events_stored"]) == (exam.session, exam.exam, 4)
    assert [(it["stream_id"], it["seq"]) for it in session["events"]] == [
        (second, 1),
        (first, 4),
        (first, 5),
        (second, 2),
    ]
    assert (session["events"][1]["id"], session["events"][1]["client_ts"]) == (events[2].id, None)
    printed = attemptlog(database_url, "person", "report", "--user", exam.user, "--json").stdout
    assert '"large": 9007199254740993' in printed
    assert f'"event_ts":"{CLOCK.isoformat()}"' in printed
    assert (found["user_id"], found["is_suppressed"]) == (exam.user, False)


def test_columns_that_the_platform_added_are_held_too(database_url: str, exam: Exam) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE attempt_events ADD COLUMN room text DEFAULT 'A 12'")
    store_records(database_url, Partition().records(envelope(exam, 1)))
    assert report(database_url, exam.user)["sessions"][0]["events"][0]["room"] == "A 12"
    assert "room A 12" in page(database_url, exam.user)


def test_sessions_without_events_are_named(database_url: str, exam: Exam) -> None:
    assert [it["session_id"] for it in report(database_url, exam.user)["sessions"]] == [exam.session]
    assert exam.session in page(database_url, exam.user)


def test_dead_letters_are_those_that_name_the_person_in_any_way(database_url: str, exam: Exam) -> None:
    other, nowhere = insert_exam(database_url), str(uuid4())
    records = [
        b'{"user_id": "' + exam.user.upper().encode() + b'"',
        b"\xff\x00 " + exam.session.replace("-", "").encode(),
        encode(envelope(exam, 1, session_id=nowhere)),
        encode(envelope(exam, 1, user_id=other.user)),
        encode(envelope(other, 1, session_id=str(uuid4()))),
        b"nobody",
    ]
    store_records(database_url, Partition().records(*records))
    letters = sorted(report(database_url, exam.user)["dead_letters"], key=lambda it: it["kafka_offset"])
    assert [it["kafka_offset"] for it in letters] == [0, 1, 2, 3]
    assert letters[0]["value"] == f'{{"user_id": "{exam.user.upper()}"'
    assert letters[1]["value"].startswith(r"\xff\x00 ")
    assert letters[2]["event"]["session_id"] == nowhere


def test_what_another_person_sent_is_that_persons(database_url: str, exam: Exam) -> None:
    other = insert_exam(database_url)
    store_records(
        database_url, Partition().records(envelope(exam, 1, user_id=other.user, payload_json=b'{"choice":770077}'))
    )
    printed = attemptlog(database_url, "person", "report", "--user", exam.user, "--json").stdout
    [letter] = orjson.loads(printed)["dead_letters"]
    assert (letter["reason"], letter["is_of_another"], letter["value"]) == ("session_not_owned", True, None)
    for text in (printed, page(database_url, exam.user)):
        assert other.user not in text
        assert "770077" not in text


def test_a_session_that_is_somebody_elses_by_now_is_not_looked_into(database_url: str, exam: Exam) -> None:
    heir = insert_exam(database_url)
    store_records(database_url, Partition().records(envelope(exam, 1)))
    with psycopg.connect(database_url) as connection:
        connection.execute("SET LOCAL session_replication_role = 'replica'")
        connection.execute("UPDATE test_sessions SET user_id = %s WHERE id = %s", [heir.user, exam.session])
    store_records(
        database_url, Partition(1).records(envelope(heir, 2, session_id=exam.session), b"" + exam.session.encode())
    )
    found = report(database_url, exam.user)
    assert [(it["is_of_another"], it["events_stored"]) for it in found["sessions"]] == [(True, 1)]
    assert found["dead_letters"] == []


def test_copies_are_counted_up_to_the_watermark(database_url: str, exam: Exam) -> None:
    store_records(database_url, Partition().records(envelope(exam, 1), envelope(insert_exam(database_url), 1)))
    assert report(database_url, exam.user)["exports"] == []
    attemptlog(database_url, "export", "run", "--once")
    store_records(database_url, Partition(1).records(envelope(exam, 2)))
    [copy] = report(database_url, exam.user)["exports"]
    [committed] = query(database_url, "SELECT committed_at FROM export_batches")
    assert (copy["target"], copy["rows"], copy["is_sent_anew"]) == ("parquet", 1, False)
    assert datetime.fromisoformat(copy["since"]) == committed
    attemptlog(database_url, "export", "run", "--once")
    attemptlog(database_url, "export", "resync", "--apply")
    [copy] = report(database_url, exam.user)["exports"]
    assert (copy["rows"], copy["is_sent_anew"], datetime.fromisoformat(copy["since"])) == (0, True, committed)
    attemptlog(database_url, "export", "run", "--once")
    [copy] = report(database_url, exam.user)["exports"]
    assert (copy["rows"], datetime.fromisoformat(copy["since"])) == (2, committed)
    assert "Target parquet" in page(database_url, exam.user)


def test_who_looked_is_told_this_report_among_it(database_url: str, exam: Exam) -> None:
    store_records(database_url, Partition().records(envelope(exam, 1)))
    attemptlog(database_url, "sessions", "show", exam.session, "--by", "Ada", "--why", "an appeal")
    attemptlog(database_url, "sessions", "show", insert_exam(database_url).session, "--by", "Bob")
    for _ in range(2):
        attemptlog(database_url, "dead-letters", "list", "--by", "Eve")
    found = report(database_url, exam.user, "--by", "Kay")
    looked = [(it["accessed_by"], it["command"], it["reason"], it["subject_kind"]) for it in found["accesses"]]
    assert looked == [
        ("Ada", "sessions show", "an appeal", "user"),
        ("Ada", "sessions show", "an appeal", "session"),
        ("Kay", "person report", None, "user"),
    ]
    assert [(it["accessed_by"], it["times"]) for it in found["accesses_to_all"]] == [("Eve", 2)]
    assert all(each in page(database_url, exam.user) for each in ("Ada", "Eve", "Kay", "an appeal"))


def test_replays_that_named_the_person_are_told(database_url: str, exam: Exam) -> None:
    store_records(database_url, Partition().records(envelope(exam, 1, session_id=str(uuid4()))))
    attemptlog(database_url, "dead-letters", "replay", "--user", exam.user, "--apply", "--by", "Ada")
    [replay] = report(database_url, exam.user)["replays"]
    assert (replay["replayed_by"], replay["filter"]) == ("Ada", {"user": exam.user})
    assert "Ada" in page(database_url, exam.user)


class Parsed(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_what_was_sent_as_text_and_needs_nothing_else(database_url: str, exam: Exam) -> None:
    hidden = "\u202e<img src=x onerror=alert(1)>\x1b[31m".encode()
    store_records(database_url, Partition().records(envelope(exam, 1, payload_json=EXACT), hidden + exam.user.encode()))
    shown = Parsed(page(database_url, exam.user))
    tags = {tag for tag, _ in shown.elements}
    assert tags.isdisjoint({"script", "img", "link", "iframe"})
    assert all(not {"src", "onerror", "style"} & attributes.keys() for _, attributes in shown.elements)
    assert all(str(attributes["href"]).startswith("#") for tag, attributes in shown.elements if tag == "a")
    assert "<script>alert(1)</script>" in shown.text
    assert r"\u202e<img src=x onerror=alert(1)>\x1b[31m" in shown.text
    assert "9007199254740993" in shown.text
    assert "An answer was chosen" in shown.text


def test_the_page_is_its_readers_only_and_whole_or_not_there(
    database_url: str, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("person.html").write_text("an older one")
    page(database_url, exam.user)
    assert stat.S_IMODE(Path("person.html").stat().st_mode) == 0o600
    before = Path("person.html").read_text()
    monkeypatch.setattr("attemptlog.event_store.person_page._looked", lambda _: iter([f"{1 // 0}"]))
    with pytest.raises(ZeroDivisionError):
        raise (
            attemptlog(database_url, "person", "report", "--user", exam.user, "--html", "person.html").exception
            or Exception
        )
    assert Path("person.html").read_text() == before
    assert [file.name for file in Path().iterdir()] == ["person.html"]


def test_a_terminal_is_told_how_much_there_is(database_url: str, exam: Exam) -> None:
    store_records(database_url, Partition().records(envelope(exam, 1), b"no event " + exam.user.encode()))
    shown = " ".join(attemptlog(database_url, "person", "report", "--user", exam.user).output.split())
    assert all(each in shown for each in ("events stored │ 1", "dead letters │ 1", "looked at │ 1 times"))
    assert "choice" not in shown


def test_of_somebody_who_is_not_known_there_is_nothing(database_url: str) -> None:
    found = report(database_url, str(uuid4()))
    assert (found["sessions"], found["dead_letters"], len(found["accesses"])) == ([], [], 1)


def test_two_reports_at_once_are_refused(database_url: str, exam: Exam) -> None:
    result = attemptlog(database_url, "person", "report", "--user", exam.user, "--json", "--html", "person.html")
    assert result.exit_code == 2
    assert query(database_url, "SELECT count(*) FROM data_accesses") == [0]


def test_what_was_purged_and_lifted_is_told_to_whoever_has_the_key(
    database_url: str, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "the key of the tests' pseudonyms, long enough"
    pseudonyms, other = Pseudonyms(key), insert_exam(database_url)
    assert report(database_url, exam.user)["purges"] == []
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO suppression_key (fingerprint) VALUES (%s)", [pseudonyms.fingerprint])
        names = {
            "user": pseudonyms.of_user(exam.user.encode()),
            "session": pseudonyms.of_session(exam.session.encode()),
            "other": pseudonyms.of_user(other.user.encode()),
        }
        connection.execute(PURGES, names)
        connection.execute(TARGETS)
    refused = attemptlog(database_url, "person", "report", "--user", exam.user)
    assert (refused.exit_code, refused.stdout) == (1, "")
    monkeypatch.setenv("ATTEMPTLOG_PSEUDONYM_KEY", key)
    found = report(database_url, exam.user)
    assert found["is_suppressed"] is True
    assert [(it["id"], it["kind"], it["reason"], it["events"]) for it in found["purges"]] == [
        (1, "purge", "asked for it", 5),
        (3, "retention", "too old", None),
    ]
    assert {it["target"]: (it["state"], it["done_at"] is None) for it in found["purges"][0]["targets"]} == {
        "duckdb": ("pending", True), "parquet": ("done", False), "xapi": ("unknown", True)
    }  # fmt: skip
    assert found["purges"][1]["targets"] == []
    shown = page(database_url, exam.user)
    assert all(each in shown for each in ("asked for it", "gone from parquet", "Copies elsewhere were kept"))
    assert all(f"still in {each}" in shown for each in ("duckdb", "xapi"))
    told = " ".join(attemptlog(database_url, "person", "report", "--user", exam.user).output.split())
    assert "duckdb 0, parquet 0, xapi 0 │" in told
    assert "still in xapi │ it cannot erase what it has" in told
    assert "of another" not in shown
