"""It is kept who looked at whose data, before anything is shown."""

from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from attemptlog.event_store.accesses import Looker
from attemptlog.exporter.app import export_attempt_events_to_warehouse
from attemptlog.exporter.parquet import ParquetDirectory
from attemptlog.exporter.service import Exporter
from attemptlog.exporter.settings import ExporterSettings
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.who import os_user
from tests.support.consumer import Partition, consumer_role, envelope, query
from tests.support.http import Exam, insert_exam
from tests.support.letters import attemptlog, store_records
from tests.support.secured import login

READ_ACCESSES = """
SELECT accessed_by, command, reason, subject_kind, subject::text
FROM data_accesses
ORDER BY id
"""

# A commit that fails, as one does whose server goes away in it.
NEVER_COMMITTED: LiteralString = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is full'; END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON data_accesses
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
"""

A_SESSION, A_PERSON, EVERYBODY = "session", "user", "everybody"

# What shows or exports data, and whose; SESSION, USER and so on stand for the ids of the test's.
COMMANDS: list[tuple[list[str], list[str]]] = [
    (["sessions", "show", "SESSION"], [A_PERSON, A_SESSION]),
    (["sessions", "gaps"], [EVERYBODY]),
    (["dead-letters", "list"], [EVERYBODY]),
    (["dead-letters", "list", "--user", "USER"], [A_PERSON]),
    (["dead-letters", "list", "--session", "SESSION", "--user", "USER"], [A_PERSON, A_SESSION]),
    (["dead-letters", "show", "1"], [A_PERSON, A_SESSION]),
    (["dead-letters", "replay"], [EVERYBODY]),
    (["dead-letters", "replay", "--session", "SESSION", "--apply"], [A_SESSION]),
    (["export", "run", "--once"], [EVERYBODY]),
    (["export", "resync", "--apply"], [EVERYBODY]),
]


@pytest.fixture
def exam(database_url: str) -> Exam:
    """A person with an event and a dead letter."""
    exam = insert_exam(database_url)
    store_records(database_url, Partition().records(envelope(exam, 1), envelope(exam, 1, payload_json=b"{}")))
    return exam


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(arguments: list[str], exam: Exam) -> list[str]:
    ids = {"SESSION": exam.session, "USER": exam.user}
    return [ids.get(each, each) for each in arguments]


@pytest.mark.parametrize(("arguments", "kinds"), COMMANDS)
def test_a_command_that_shows_or_exports_data_keeps_who_looked(
    database_url: str, exam: Exam, arguments: list[str], kinds: list[str]
) -> None:
    result = attemptlog(database_url, *written(arguments, exam), "--by", "Ada", "--why", "an appeal")
    assert result.exit_code == 0, result.output
    ids = {A_PERSON: exam.user, A_SESSION: exam.session, EVERYBODY: None}
    command = " ".join(arguments[:2])
    assert query(database_url, READ_ACCESSES) == [("Ada", command, "an appeal", kind, ids[kind]) for kind in kinds]
    assert len(query(database_url, "SELECT id FROM data_accesses WHERE database_user = session_user")) == len(kinds)


def test_whoever_names_nobody_is_the_user_of_this_machine(database_url: str, exam: Exam) -> None:
    attemptlog(database_url, "sessions", "show", exam.session)
    assert {row[0] for row in query(database_url, READ_ACCESSES)} == {os_user()}


def test_an_export_that_is_only_spoken_of_is_none(database_url: str, exam: Exam) -> None:
    attemptlog(database_url, "export", "resync")
    attemptlog(database_url, "export", "status")
    assert query(database_url, READ_ACCESSES) == []


@pytest.mark.parametrize("arguments", [arguments for arguments, _ in COMMANDS])
def test_nothing_is_shown_by_a_login_that_may_not_say_who_looked(
    database_url: str, exam: Exam, arguments: list[str], tmp_path: Path
) -> None:
    with consumer_role(database_url) as url, psycopg.connect(database_url, autocommit=True) as owner:
        role = url.partition("//")[2].partition(":")[0]
        for grant in ("pg_read_all_data", "attemptlog_exporter"):
            owner.execute(f"GRANT {grant} TO {role}".encode())
        owner.execute("REVOKE INSERT ON data_accesses FROM attemptlog_exporter")
        assert_nothing_is_shown(url, exam, arguments, tmp_path, "GRANT INSERT ON data_accesses")


@pytest.mark.parametrize("arguments", [arguments for arguments, _ in COMMANDS])
def test_nothing_is_shown_before_it_is_committed_who_looked(
    database_url: str, exam: Exam, arguments: list[str], tmp_path: Path
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(NEVER_COMMITTED)
    assert_nothing_is_shown(database_url, exam, arguments, tmp_path, "the disk is full")


def assert_nothing_is_shown(url: str, exam: Exam, arguments: list[str], folder: Path, sentence: str) -> None:
    result = attemptlog(url, *written(arguments, exam))
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert sentence in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert list(folder.rglob("*.parquet")) == []


def test_a_database_that_is_only_read_shows_nothing(database_url: str, exam: Exam) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    result = attemptlog(database_url, "sessions", "show", exam.session)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the server that is written to" in " ".join(result.stderr.split())


CHANGES: list[LiteralString] = [
    "UPDATE data_accesses SET accessed_by = 'somebody else'",
    "DELETE FROM data_accesses",
    "TRUNCATE data_accesses",
]


@pytest.mark.parametrize("change", CHANGES)
def test_even_a_superuser_changes_nothing_of_who_looked(database_url: str, exam: Exam, change: LiteralString) -> None:
    attemptlog(database_url, "sessions", "show", exam.session)
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.Error, match="append-only") as caught:
        connection.execute(change)
    assert caught.value.sqlstate == "ATL01"
    assert len(query(database_url, READ_ACCESSES)) == 2


WORDS: list[tuple[str, str]] = [
    ("x" * 501, "501 characters"),
    ("two\nlines", "cannot be printed"),
    ("about 01890a5d-ac96-774b-bcce-b302099a8057", "names an id"),
    ("about 01890A5DAC96774BBCCEB302099A8057", "names an id"),
    ("\udcff", "cannot be printed"),
]


@pytest.mark.parametrize("option", ["--by", "--why"])
@pytest.mark.parametrize(("words", "fault"), WORDS)
def test_words_that_cannot_be_kept_for_good_are_refused(
    database_url: str, exam: Exam, option: str, words: str, fault: str
) -> None:
    result = attemptlog(database_url, "sessions", "show", exam.session, option, words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert fault in " ".join(result.stderr.split())
    assert query(database_url, READ_ACCESSES) == []


def test_a_service_that_exports_says_so_once(
    database_url: str, exam: Exam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTEMPTLOG_DATABASE_URL", login(database_url, "attemptlog_exporter", "secret"))
    make_target, looker = partial(ParquetDirectory, tmp_path / "events"), Looker("cron", "export run")
    exporter = Exporter(ExporterSettings(), "parquet", make_target, looker, stopping=Event())
    assert (exporter.once(), exporter.once()) == (1, 0)
    assert query(database_url, READ_ACCESSES) == [("cron", "export run", None, EVERYBODY, None)]


def test_a_program_that_exports_is_kept_too(database_url: str, exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEMPTLOG_DATABASE_URL", database_url)
    assert export_attempt_events_to_warehouse() == 1
    found: list[Any] = query(database_url, READ_ACCESSES)
    assert found == [(os_user(), "export by a program", None, EVERYBODY, None)]


KEY = "the key of the tests' pseudonyms, long enough"
ANOTHER_KEY = "another key of the tests' pseudonyms, long enough"
PSEUDONYMS = Pseudonyms(KEY)


@pytest.fixture
def purged(database_url: str, exam: Exam) -> Exam:
    """A person who is suppressed, without the session, as one is that was made later."""
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO suppression_key (fingerprint) VALUES (%s)", [PSEUDONYMS.fingerprint])
        connection.execute(
            "WITH purge AS (INSERT INTO purges (kind, subject_kind, subject, requested_by, reason)"
            " VALUES ('purge', 'user', %(of)s, 'Ada', 'asked') RETURNING id)"
            " INSERT INTO suppressions SELECT %(of)s, id FROM purge",
            {"of": PSEUDONYMS.of_user(exam.user.encode())},
        )
    return exam


@pytest.mark.parametrize(("arguments", "kinds"), [it for it in COMMANDS if EVERYBODY not in it[1]])
def test_of_whom_nothing_is_stored_any_more_the_pseudonym_is_kept(
    database_url: str, purged: Exam, arguments: list[str], kinds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTEMPTLOG_PSEUDONYM_KEY", KEY)
    assert attemptlog(database_url, *written(arguments, purged)).exit_code == 0
    of = {
        A_PERSON: PSEUDONYMS.of_user(purged.user.encode()),
        A_SESSION: PSEUDONYMS.of_session(purged.session.encode()),
    }
    found = query(database_url, "SELECT subject_kind, is_pseudonym, subject FROM data_accesses ORDER BY id")
    assert found == [(kind, True, UUID(of[kind])) for kind in kinds]


@pytest.mark.parametrize("key", [None, ANOTHER_KEY])
def test_without_the_key_nobody_is_shown_who_may_have_been_purged(
    database_url: str, purged: Exam, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if key:
        monkeypatch.setenv("ATTEMPTLOG_PSEUDONYM_KEY", key)
    result = attemptlog(database_url, "sessions", "show", purged.session)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "ATTEMPTLOG_PSEUDONYM_KEY" in result.stderr
    assert query(database_url, READ_ACCESSES) == []
    assert attemptlog(database_url, "sessions", "gaps").exit_code == 0
