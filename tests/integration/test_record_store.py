"""Statements to a learning record store: a real one, and one that answers what a test wants."""

import asyncio
import os
import re
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from attemptlog.exporter.errors import DataError, ExportError, NotAvailable, SetUpError, TransientError
from attemptlog.exporter.statement_requests import MAX_BYTES, MAX_STATEMENTS, requests_of
from attemptlog.exporter.target import Batch, Receipt, SendsLong, Target
from attemptlog.exporter.xapi import from_environment, target_of
from attemptlog.runtime.sentences import sentence
from tests.support.certificates import Authority
from tests.support.documents import ROOT
from tests.support.eventually import eventually
from tests.support.export import MONDAY, chunk_of, event
from tests.support.record_store import PASSWORD, USER, RunningStore
from tests.support.statements import EVERY, HOME_PAGE, line, settings_for, settings_of, statement


@pytest.fixture
def store(record_store: RunningStore) -> RunningStore:
    record_store.empty()
    return record_store


def write(target: Target, rows: list[dict[str, Any]], batch: UUID | None = None, attempt: int = 1) -> Receipt:
    return target.write(Batch(batch or uuid4(), attempt), iter([chunk_of(rows)]))


def held(store: RunningStore) -> list[str]:
    return sorted(each["id"] for each in store.statements())


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["id"] for row in rows)


def test_a_store_takes_a_statement_of_every_type_and_the_second_time_holds_one(store: RunningStore) -> None:
    rows = [row | {"id": str(uuid4())} for row in EVERY]
    statements = [statement(row) for row in rows]
    assert store.post(*statements).status_code == 200
    assert store.post(*statements).is_success
    assert held(store) == ids(rows)


def test_other_content_under_the_same_id_is_a_conflict(store: RunningStore) -> None:
    made = statement(event())
    assert store.post(made).status_code == 200
    assert store.post(made | {"timestamp": "2026-03-02T09:14:06Z"}).status_code == 409


def test_a_candidates_statements_are_found_by_their_session(store: RunningStore, tmp_path: Path) -> None:
    rows = [event(), event()]
    with target_of(settings_for(tmp_path, store)) as target:
        target.claim(1)
        write(target, rows)
    assert [each["id"] for each in store.statements(registration=rows[0]["session_id"])] == [rows[0]["id"]]


def test_an_export_that_lost_its_folder_sends_everything_again_and_it_is_held_once(
    store: RunningStore, tmp_path: Path
) -> None:
    rows = [event() for _ in range(20)]
    for folder in ("first", "second"):
        with target_of(settings_for(tmp_path / folder, store)) as target:
            target.claim(1)
            assert target.latest() is None
            assert write(target, rows).rows == 20
    assert held(store) == ids(rows)


def test_a_statement_that_is_there_with_other_content_is_named_and_nothing_is_committed(
    store: RunningStore, tmp_path: Path
) -> None:
    rows = [event() for _ in range(9)]
    store.post(statement(rows[5]) | {"timestamp": "2026-03-02T09:14:06Z"})
    batch = uuid4()
    with target_of(settings_for(tmp_path, store)) as target:
        target.claim(1)
        with pytest.raises(DataError, match="another statement") as caught:
            write(target, rows, batch)
        assert caught.value.row == rows[5]["id"]
        assert target.committed(batch) is None
        store.empty()  # somebody saw to it
        assert write(target, rows, batch, attempt=2).rows == 9
    assert held(store) == ids(rows)


def test_a_wrong_password_is_for_an_operator(store: RunningStore, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, endpoint=store.endpoint, username="exporter", password="wrong")
    with target_of(settings) as target:
        target.claim(1)
        with pytest.raises(SetUpError, match="401"):
            write(target, [event()])


def test_what_a_store_holds_is_not_available(store: RunningStore, tmp_path: Path) -> None:
    with target_of(settings_for(tmp_path, store)) as target:
        with pytest.raises(NotAvailable, match="cannot be counted"):
            target.days()
        with pytest.raises(NotAvailable, match="cannot be counted"):
            target.rows_of(MONDAY.date())


def test_another_store_knows_nothing_of_what_this_one_was_sent(store: RunningStore, tmp_path: Path) -> None:
    with target_of(settings_for(tmp_path, store)) as target:
        target.claim(1)
        write(target, [event()])
        assert target.latest() is not None
    with target_of(settings_of(tmp_path, endpoint="http://127.0.0.1:1", username="a", password="b")) as other:
        assert other.latest() is None
    with target_of(settings_of(tmp_path)) as directory:
        assert directory.latest() is None
        assert directory.days() == {}


@dataclass
class Scripted:
    """A server that answers as `answer` says: from a method and the statements, a status and a body."""

    answer: Any
    url: str = ""
    asked: list[tuple[str, list[str], dict[str, str]]] = field(default_factory=list)


@contextmanager
def scripted(answer: Any, key_and_certificate: Path | None = None) -> Iterator[Scripted]:
    it = Scripted(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.reply("POST", [each["id"] for each in orjson.loads(body)])

        def do_GET(self) -> None:
            self.reply("GET", [self.path.partition("statementId=")[2]])

        def reply(self, method: str, named: list[str]) -> None:
            it.asked.append((method, named, {key.lower(): value for key, value in self.headers.items()}))
            status, body = it.answer(method, named)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if key_and_certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(key_and_certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    scheme = "http" if key_and_certificate is None else "https"
    it.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/xAPI"
    try:
        yield it
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def stored(method: str, named: list[str]) -> tuple[int, bytes]:
    return 200, orjson.dumps(named)


def refusing(status: int, bad: str) -> Any:
    def answer(method: str, named: list[str]) -> tuple[int, bytes]:
        return (status, b"{}") if bad in named else stored(method, named)

    return answer


@contextmanager
def claimed(directory: Path, server: Scripted) -> Iterator[Target]:
    with target_of(settings_of(directory, endpoint=f"{server.url}/", username="né", password="p:w")) as target:
        target.claim(1)
        yield target


def test_a_request_has_the_version_the_login_and_the_address(tmp_path: Path) -> None:
    with scripted(stored) as server, claimed(tmp_path, server) as target:
        write(target, [event()])
    [(_, _, headers)] = server.asked
    assert headers["x-experience-api-version"] == "1.0.3"
    assert headers["authorization"] == "Basic bsOpOnA6dw=="  # RFC 7617, in UTF-8
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [400, 409])
@pytest.mark.parametrize("place", [0, 77, 199])
def test_the_one_statement_that_is_refused_is_found(tmp_path: Path, status: int, place: int) -> None:
    rows = [event() for _ in range(200)]
    with (
        scripted(refusing(status, rows[place]["id"])) as server,
        claimed(tmp_path, server) as target,
        pytest.raises(DataError, match=str(status)) as caught,
    ):
        write(target, rows)
    assert caught.value.row == rows[place]["id"]
    assert len(server.asked) <= 1 + 2 * 8  # 2 to the 8th is more than 200


def test_a_store_that_takes_smaller_requests_only_gets_them(tmp_path: Path) -> None:
    def answer(method: str, named: list[str]) -> tuple[int, bytes]:
        return (413, b"") if len(named) > 30 else stored(method, named)

    with scripted(answer) as server, claimed(tmp_path, server) as target:
        assert write(target, rows := [event() for _ in range(100)]).rows == 100
    sent = [each for _, named, _ in server.asked if len(named) <= 30 for each in named]
    assert sorted(sent) == ids(rows)


def test_what_becomes_of_each_request_is_told(tmp_path: Path) -> None:
    rows, became = [event() for _ in range(4)], Counter[str]()
    with scripted(refusing(400, rows[3]["id"])) as server, claimed(tmp_path, server) as target:
        assert isinstance(target, SendsLong)
        target.heed(lambda: False, lambda outcome: became.update([outcome]))
        with pytest.raises(DataError):
            write(target, rows)
    assert became == {"halved": 2, "taken": 2, "refused": 1}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (413, b"", SetUpError),
        (401, b"", SetUpError),
        (403, b"", SetUpError),
        (404, b"", SetUpError),
        (302, b"", SetUpError),
        (202, b"[]", SetUpError),
        (200, b"<html>Welcome</html>", SetUpError),
        (200, b"{}", SetUpError),
        (408, b"", TransientError),
        (429, b"", TransientError),
        (500, b"", TransientError),
        (503, b"", TransientError),
    ],
)
def test_what_is_no_acknowledgement_commits_nothing(
    tmp_path: Path, status: int, body: bytes, error: type[ExportError]
) -> None:
    batch, rows = uuid4(), [event(), event()]
    with scripted(lambda *_: (status, body)) as server, claimed(tmp_path, server) as target:
        with pytest.raises(error) as caught:
            write(target, rows, batch)
        assert target.committed(batch) is None
        assert rows[0]["user_id"] not in str(caught.value)
        server.answer = stored
        assert target.write(Batch(batch, 2), iter([chunk_of(rows)])) == target.committed(batch)


def test_a_store_that_is_away_is_tried_again(tmp_path: Path) -> None:
    with target_of(settings_of(tmp_path, endpoint="http://127.0.0.1:1", username="a", password="b")) as target:
        target.claim(1)
        with pytest.raises(TransientError, match="cannot be reached"):
            write(target, [event()])


def test_a_certificate_has_to_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority("of a test")
    both = authority.write_key_and_certificate(tmp_path / "server.pem", "lrs")
    with scripted(stored, both) as server:
        with claimed(tmp_path, server) as target, pytest.raises(SetUpError, match="certificate"):
            write(target, [event()])
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.write_certificate(tmp_path / "authority.pem")))
        with claimed(tmp_path, server) as target:
            assert write(target, [event()]).rows == 1


def test_a_store_that_drops_statements_and_says_nothing_is_found_out(tmp_path: Path) -> None:
    rows = [event() for _ in range(5)]

    def answer(method: str, named: list[str]) -> tuple[int, bytes]:
        return stored(method, [each for each in named if each != rows[2]["id"]])

    batch = uuid4()
    with scripted(answer) as server, claimed(tmp_path, server) as target:
        with pytest.raises(TransientError, match=rows[2]["id"]):
            write(target, rows, batch)
        assert target.committed(batch) is None


def test_a_store_that_names_only_what_is_new_is_asked_for_the_others(tmp_path: Path) -> None:
    rows = [event() for _ in range(5)]

    def answer(method: str, named: list[str]) -> tuple[int, bytes]:
        if method == "GET":
            return 200, orjson.dumps({"id": named[0]})
        return stored(method, named[1:])

    with scripted(answer) as server, claimed(tmp_path, server) as target:
        assert write(target, rows).rows == 5
    assert [method for method, _, _ in server.asked] == ["POST", "GET"]


def test_nothing_is_sent_before_all_rows_have_come(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Any]:
        yield chunk_of([event()])
        raise TransientError("PostgreSQL went away")

    with (
        scripted(stored) as server,
        claimed(tmp_path, server) as target,
        pytest.raises(TransientError, match="went away"),
    ):
        target.write(Batch(uuid4()), interrupted())
    assert server.asked == []


def test_nothing_of_what_was_sent_stays_here(tmp_path: Path) -> None:
    with scripted(stored) as server, claimed(tmp_path, server) as target:
        write(target, [event()])
    kept = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert [name for name in kept if not re.fullmatch(r"lock|fence|\d{10}-.*\.json", name)] == []


def test_requests_are_bounded_by_number_and_by_size() -> None:
    small, large = b"x" * 100, b"y" * (MAX_BYTES // 2)
    parted = list(requests_of([*[small] * (MAX_STATEMENTS + 1), large, large, b"z" * 2 * MAX_BYTES, small]))
    assert [len(request) for request in parted] == [MAX_STATEMENTS, 2, 1, 1, 1]
    assert all(sum(map(len, request)) <= MAX_BYTES or len(request) == 1 for request in parted)


def test_the_largest_statement_fits_into_a_request() -> None:
    assert len(line(event(payload='{"a": "%s"}' % ("\\u0001" * 680)))) < MAX_BYTES // 100


SENDER = """
import signal
import sys
import pyarrow.parquet as pq
from uuid import UUID
from attemptlog.exporter.target import Batch
from attemptlog.exporter.xapi import from_environment

attempt, taken = int(sys.argv[3]), []
with from_environment() as target:
    target.claim(attempt)
    if attempt == 1:  # waits after two requests, in the first of which it is killed
        target.heed(lambda: len(taken) == 2 and signal.pause(), taken.append)
    print(target.write(Batch(UUID(sys.argv[2]), attempt), pq.ParquetFile(sys.argv[1]).iter_batches()).rows)
"""


async def test_an_export_that_is_killed_while_it_sends_is_finished_by_the_next(
    store: RunningStore, tmp_path: Path
) -> None:
    rows = [event() for _ in range(6 * MAX_STATEMENTS)]
    pq.write_table(pa.Table.from_batches([chunk_of(rows)]), tmp_path / "rows.parquet")
    given = {"directory": tmp_path, "home_page": HOME_PAGE, "endpoint": store.endpoint, "username": USER}
    settings = {f"ATTEMPTLOG_EXPORT_XAPI_{k.upper()}": str(v) for k, v in (given | {"password": PASSWORD}).items()}
    command = [sys.executable, "-c", SENDER, str(tmp_path / "rows.parquet"), str(uuid4())]

    killed = subprocess.Popen([*command, "1"], cwd=ROOT, env=os.environ | settings)
    await eventually(lambda: store.file.stat().st_size)
    killed.kill()
    killed.wait()
    await asyncio.to_thread(store.statements)  # the store has answered what it was asked last
    assert 0 < len(held(store)) < len(rows)

    done = subprocess.run(
        [*command, "2"], cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (f"{len(rows)}\n", "")
    assert held(store) == ids(rows)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "ATTEMPTLOG_EXPORT_XAPI_DIRECTORY is not set; ATTEMPTLOG_EXPORT_XAPI_HOME_PAGE is not set."),
        ({"home_page": "exam.example"}, "ATTEMPTLOG_EXPORT_XAPI_HOME_PAGE: must be an address with its scheme"),
        ({"base": "https://exam example"}, "ATTEMPTLOG_EXPORT_XAPI_BASE: must be an address"),
        ({"endpoint": "lrs.example"}, "ATTEMPTLOG_EXPORT_XAPI_ENDPOINT: must be an address"),
        ({"endpoint": "https://lrs.example/xAPI/statements/"}, "without /statements"),
        ({"endpoint": "https://me:secret@lrs.example"}, "without a login in it"),
        ({"endpoint": "https://lrs.example", "username": "a"}, "needs ATTEMPTLOG_EXPORT_XAPI_USERNAME"),
    ],
)
def test_a_wrong_setting_is_told_in_a_sentence(
    given: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = {"directory": "/tmp", "home_page": HOME_PAGE} if given else {}  # noqa: S108
    for name, value in (usual | given).items():
        monkeypatch.setenv(f"ATTEMPTLOG_EXPORT_XAPI_{name.upper()}", value)
    with pytest.raises(ValidationError) as caught:
        from_environment()
    found = sentence(caught.value) or ""
    assert told in found
    assert "secret" not in found
