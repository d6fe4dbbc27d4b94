"""What is special about Snowflake, through the real connector; what holds for every target is in
test_export_targets.py."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr, ValidationError
from snowflake.connector import errors

from attemptlog.exporter.errors import DataError, ExportError, SetUpError, TransientError
from attemptlog.exporter.rows import DayTotal
from attemptlog.exporter.snowflake import Snowflake, from_environment
from attemptlog.exporter.snowflake_load import require_loaded, require_uploaded
from attemptlog.exporter.snowflake_session import SnowflakeSettings, told
from attemptlog.exporter.snowflake_sql import HOLD
from attemptlog.exporter.target import Batch
from tests.support.eventually import PATIENCE
from tests.support.export import chunk_of, event
from tests.support.fake_snowflake import FakeSnowflake, fake_snowflake, private_key

PREFIX = "ATTEMPTLOG_EXPORT_SNOWFLAKE_"


@pytest.fixture
def server() -> Iterator[FakeSnowflake]:
    with fake_snowflake() as server:
        yield server


@pytest.fixture
def target(server: FakeSnowflake) -> Iterator[Snowflake]:
    with Snowflake(server.settings()) as target:
        target.claim(1)
        server.heard()
        yield target


def write(target: Snowflake, rows: list[dict[str, Any]], batch: Batch | None = None) -> Any:
    return target.write(batch or Batch(uuid4()), iter([chunk_of(rows)]))


@pytest.mark.parametrize("is_done", [True, False])
def test_a_commit_without_an_answer_is_settled_by_the_ledger(
    server: FakeSnowflake, target: Snowflake, is_done: bool
) -> None:
    rows, batch = [event(), event()], uuid4()
    server.fail({"match": "^COMMIT", "is_done": is_done})
    with pytest.raises(TransientError):
        write(target, rows, Batch(batch))
    server.fail()
    first = target.committed(batch)
    assert (first is not None) is is_done
    again = write(target, rows, Batch(batch, attempt=2))
    assert again == target.committed(batch)
    assert first is None or again == first
    assert len(server.rows()) == 2


def test_a_transaction_whose_client_is_gone_is_waited_for(server: FakeSnowflake, target: Snowflake) -> None:
    """Its COMMIT may still be on its way: until Snowflake ends it, nobody looks into the ledger."""
    lost = server.session()
    lost.run("BEGIN")
    lost.run(HOLD, 1)
    with pytest.raises(TransientError):
        write(target, [event()])
    server.abort_detached()
    write(target, [event()])
    assert len(server.rows()) == 1
    lost.close()


def test_a_commit_that_goes_through_while_its_batch_is_sent_again_is_found(
    server: FakeSnowflake, target: Snowflake
) -> None:
    rows, batch = [event(), event()], uuid4()

    def sent_again() -> Iterator[Any]:
        with Snowflake(server.settings()) as earlier:
            earlier.claim(1)
            write(earlier, rows, Batch(batch))
        yield chunk_of(rows)

    receipt = target.write(Batch(batch, attempt=2), sent_again())
    assert receipt == target.committed(batch)
    assert server.query("SELECT attempt FROM attemptlog_export_batches") == [{"ATTEMPT": 1}]
    assert len(server.rows()) == 2


def test_rows_that_get_lost_on_the_way_in_are_noticed_before_the_commit(
    server: FakeSnowflake, target: Snowflake
) -> None:
    lose = {"replace": "FROM attemptlog_export_load AS", "by": "FROM (SELECT * FROM attemptlog_export_load LIMIT 2) AS"}
    server.fail({"match": "^INSERT INTO attempt_events", **lose})
    batch = uuid4()
    with pytest.raises(DataError, match="after INSERT Snowflake has 2 rows of 3"):
        write(target, [event() for _ in range(3)], Batch(batch))
    server.fail()
    assert target.committed(batch) is None
    assert server.rows() == []


def test_rows_that_copy_leaves_out_are_noticed(server: FakeSnowflake, target: Snowflake) -> None:
    server.fail({"match": "^DELETE FROM attemptlog_export_load", "replace": "$", "by": " WHERE seq <> 1"})
    write(target, [event(seq=1), event(seq=2)])
    with pytest.raises(DataError, match="after COPY Snowflake has 2 rows of 1"):
        write(target, [event()])


def test_a_row_that_is_there_twice_is_noticed(server: FakeSnowflake, target: Snowflake) -> None:
    row = event()
    write(target, [row])
    server.query("INSERT INTO attempt_events SELECT * FROM attempt_events")
    with pytest.raises(DataError, match="2 rows of 1"):
        write(target, [row], Batch(uuid4(), repeats=True))


def test_another_row_under_an_id_that_comes_again_is_noticed(target: Snowflake) -> None:
    write(target, [row := event(row_hash=5)])
    with pytest.raises(DataError, match="other rows under"):
        write(target, [row | {"row_hash": 6}], Batch(uuid4(), repeats=True))


@pytest.mark.parametrize("column", ["payload", "dropped"])
def test_json_that_snowflake_cannot_read_is_named_by_its_row(
    server: FakeSnowflake, target: Snowflake, column: str
) -> None:
    bad = event(**{column: '{"private": '})
    with pytest.raises(DataError, match="JSON") as raised:
        write(target, [event(), bad])
    assert raised.value.row == bad["id"]
    assert "private" not in str(raised.value)
    assert server.rows() == []


@pytest.mark.parametrize("said", [["SKIPPED"], ["ERROR"], [], ["UPLOADED", "UPLOADED"]])
def test_a_file_that_put_has_not_uploaded_is_not_loaded(said: list[str]) -> None:
    require_uploaded([{"status": "UPLOADED"}])
    with pytest.raises(TransientError, match=said[0] if said else "nothing"):
        require_uploaded([{"status": status} for status in said])


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ([], TransientError),
        ([{"status": "Copy executed with 0 files processed."}], TransientError),
        ([{"status": "LOAD_SKIPPED", "rows_loaded": 0}], TransientError),
        ([{"status": "PARTIALLY_LOADED", "rows_loaded": 2}], TransientError),
        ([{"status": "LOADED", "rows_loaded": 2}], DataError),
    ],
)
def test_a_file_that_copy_has_not_loaded_as_a_whole_is_not_committed(said: list[Any], error: type[Exception]) -> None:
    require_loaded([{"status": "LOADED", "rows_loaded": 3}], DayTotal(3))
    with pytest.raises(error):
        require_loaded(said, DayTotal(3))


def test_a_staged_file_that_is_gone_is_sent_again(server: FakeSnowflake, target: Snowflake) -> None:
    server.fail({"match": "^COPY", "replace": r"\.parquet", "by": ".gone"})
    with pytest.raises(TransientError, match="0 files processed"):
        write(target, [event()])
    assert server.rows() == []


def test_nothing_is_defined_in_the_transaction(server: FakeSnowflake, target: Snowflake) -> None:
    """Snowflake commits before every CREATE and ALTER."""
    write(target, [event()])
    said = [it["STATEMENT"].split()[0] for it in server.heard()]
    assert said[said.index("BEGIN") : said.index("COMMIT") + 1] == [
        *("BEGIN", "UPDATE", "SELECT", "DELETE", "COPY", "SELECT", "SELECT", "INSERT", "SELECT", "DELETE", "INSERT"),
        "COMMIT",
    ]


def test_staged_files_are_removed_after_the_commit_and_at_a_claim(server: FakeSnowflake, target: Snowflake) -> None:
    batch = uuid4()
    write(target, [event()], Batch(batch))
    said = [it["STATEMENT"] for it in server.heard()]
    assert said[-2:] == ["COMMIT", f"REMOVE @attemptlog_export/{batch}/"]
    target.claim(2)
    assert server.heard()[-1]["STATEMENT"] == "REMOVE @attemptlog_export/"


@pytest.mark.parametrize(
    ("refusal", "message", "kind"),
    [
        ("002003 42S02", "SQL compilation error: Table does not exist or not authorized.", SetUpError),
        ("003001 42501", "Insufficient privileges to operate on schema", SetUpError),
        ("000606 57P03", "No active warehouse selected in the current session.", SetUpError),
        ("000625 57014", "Statement has locked table in transaction that has not been released", TransientError),
        ("000630 57014", "Statement reached its statement or warehouse timeout", TransientError),
        ("390114 08001", "Authentication token has expired.", TransientError),
        ("100038 22018", "Numeric value 'private' is not recognized", DataError),
        ("100072 22000", "NULL result in a non-nullable column", DataError),
    ],
)
def test_what_snowflake_refuses_is_told_by_what_to_do(
    server: FakeSnowflake, target: Snowflake, refusal: str, message: str, kind: type[ExportError]
) -> None:
    code, state = refusal.split()
    server.fail({"match": "^COPY", "error": {"code": code, "message": message}, "state": state})
    with pytest.raises(kind) as raised:
        write(target, [event()])
    assert code in str(raised.value)
    assert "private" not in str(raised.value)
    assert (message in str(raised.value)) is (kind is not DataError)
    server.fail()
    write(target, [event()])
    assert len(server.rows()) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.DatabaseError("Incorrect username or password was specified.", errno=390100), SetUpError),
        (errors.DatabaseError("JWT token is invalid.", errno=390144), SetUpError),
        (errors.DatabaseError("OAuth access token expired.", errno=390318), SetUpError),
        (errors.DatabaseError("Session no longer exists.", errno=390111), TransientError),
        (errors.DatabaseError("Connection is closed", errno=250002), TransientError),
        (errors.ForbiddenError(), SetUpError),
        (errors.OperationalError("no route to host", errno=250001), TransientError),
        (errors.OperationalError("upload failed", errno=253003), TransientError),
        (errors.InterfaceError("odd"), TransientError),
        (errors.ServiceUnavailableError(), TransientError),
        (errors.IntegrityError("dup"), DataError),
        (errors.Error("?"), TransientError),
    ],
)
def test_errors_of_the_connector_are_told_by_what_to_do(error: errors.Error, kind: type[ExportError]) -> None:
    assert type(told(error)) is kind


def test_a_server_that_answers_errors_is_not_asked_for_longer_than_the_timeout(
    server: FakeSnowflake, target: Snowflake
) -> None:
    server.fail({"match": "."})
    began = time.monotonic()
    with pytest.raises(TransientError):
        target.latest()
    assert time.monotonic() - began < PATIENCE, "without it, the connector asks for good"


def test_a_server_that_is_away_is_tried_again_later(server: FakeSnowflake) -> None:
    with Snowflake(server.settings(port=1)) as target, pytest.raises(TransientError):
        target.latest()


def test_a_session_is_in_utc_and_waits_no_longer_than_it_has_to(server: FakeSnowflake) -> None:
    server.heard()
    with Snowflake(server.settings()) as target:
        target.latest()
    [login, *_] = server.heard()
    assert {
        name: login["SESSION_PARAMETERS"][name] for name in ("TIMEZONE", "LOCK_TIMEOUT", "ABORT_DETACHED_QUERY")
    } == {
        "TIMEZONE": "UTC",
        "LOCK_TIMEOUT": 60,
        "ABORT_DETACHED_QUERY": True,
    }
    assert login["ACCOUNT_NAME"] == "fakesnow"
    for part in (
        "databaseName=exams",
        f"schemaName={server.schema}",
        "roleName=attemptlog_exporter",
        "warehouse=loading",
    ):
        assert part in login["QUERY"]


@pytest.mark.parametrize("passphrase", [None, "open sesame"])
def test_a_key_pair_logs_in(server: FakeSnowflake, tmp_path: Path, passphrase: str | None) -> None:
    settings = server.settings(
        programmatic_access_token=None,
        private_key_path=private_key(tmp_path / "key.p8", passphrase),
        private_key_passphrase=SecretStr(passphrase) if passphrase else None,
    )
    server.heard()
    with Snowflake(settings) as target:
        assert target.latest() is None
    [login, *_] = server.heard()
    assert login["AUTHENTICATOR"] == "SNOWFLAKE_JWT"
    assert login["TOKEN"].count(".") == 2


@pytest.mark.parametrize("passphrase", [None, "wrong"])
def test_a_key_that_cannot_be_used_is_for_an_operator(
    server: FakeSnowflake, tmp_path: Path, passphrase: str | None
) -> None:
    key = private_key(tmp_path / "key.p8", "right")
    login: dict[str, Any] = {"programmatic_access_token": None, "private_key_passphrase": passphrase}
    for path in (key, tmp_path / "none.p8"):
        with Snowflake(server.settings(**login, private_key_path=path)) as target:
            with pytest.raises(SetUpError, match=path.name) as raised:
                target.latest()
            assert "wrong" not in str(raised.value)


def test_an_oauth_token_is_read_at_every_login(server: FakeSnowflake, tmp_path: Path) -> None:
    file = tmp_path / "token"
    settings = server.settings(programmatic_access_token=None, oauth_token_path=file)
    with Snowflake(settings) as target, pytest.raises(SetUpError, match="token"):
        target.latest()
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        server.heard()
        with Snowflake(settings) as target:
            target.latest()
        [login, *_] = server.heard()
        assert (login["AUTHENTICATOR"], login["TOKEN"]) == ("OAUTH", token)


def test_a_programmatic_access_token_logs_in(server: FakeSnowflake) -> None:
    server.heard()
    with Snowflake(server.settings(programmatic_access_token="pat")) as target:
        target.latest()
    [login, *_] = server.heard()
    assert (login["AUTHENTICATOR"], login["TOKEN"]) == ("PROGRAMMATIC_ACCESS_TOKEN", "pat")


def test_the_environment_describes_it(monkeypatch: pytest.MonkeyPatch, server: FakeSnowflake) -> None:
    usual = server.settings()
    for name in ("account", "user", "role", "warehouse", "database", "host", "port", "protocol"):
        monkeypatch.setenv(PREFIX + name.upper(), str(getattr(usual, f"export_snowflake_{name}")))
    monkeypatch.setenv(f"{PREFIX}SCHEMA", server.schema)
    with pytest.raises(ValidationError, match=f"one of {PREFIX}PRIVATE_KEY_PATH and {PREFIX}OAUTH_TOKEN_PATH and"):
        SnowflakeSettings()
    monkeypatch.setenv(f"{PREFIX}PROGRAMMATIC_ACCESS_TOKEN", "secret")
    monkeypatch.setenv(f"{PREFIX}NETWORK_TIMEOUT", "2")
    assert SnowflakeSettings() == usual.model_copy(update={"export_snowflake_network_timeout": timedelta(seconds=2)})
    with from_environment() as target:
        assert target.latest() is None
    monkeypatch.setenv(f"{PREFIX}PRIVATE_KEY_PATH", "key.p8")
    with pytest.raises(ValidationError, match="one of"):
        SnowflakeSettings()


def test_objects_of_a_payload_are_queried_as_such(server: FakeSnowflake, target: Snowflake) -> None:
    write(target, [event(payload='{"choice": 2, "text": "ä"}')])
    [found] = server.query("SELECT payload:choice::INT AS choice, payload:text::VARCHAR AS text FROM attempt_events")
    assert found == {"CHOICE": 2, "TEXT": "ä"}
