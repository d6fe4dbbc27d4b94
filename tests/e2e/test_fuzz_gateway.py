"""The gateway under input that nobody sends on purpose, with the consumer behind it.

It never answers 5xx, it never hangs, it counts what it reads, and the consumer can store whatever it accepted.
"""

import base64
import gzip
import hmac
import http.client
import json
import re
import select
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import httpx
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from attemptlog.ingest_api.app import create_app
from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.schemas import EVENT_TYPES, MAX_REASONS_IN_REPLY
from tests.support import fuzz
from tests.support.consumer import ConsumerProcess, consumer, dead_letters, ledger
from tests.support.eventually import PATIENCE, eventually
from tests.support.http import JWT_SECRET, PATH, Caller, Exam, gateway, insert_exam, token
from tests.support.property_tests import examples

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

BODY_DEADLINE = 2.0  # seconds
UNCONNECTED = IngestSettings.model_validate(
    {"kafka_bootstrap_servers": "nowhere:9092", "database_url": "postgresql://-", "jwt_secret": JWT_SECRET}
)
# What may come while nothing is away and nobody is over the rate.
STATUSES = {202, 400, 401, 403, 404, 405, 408, 413, 431}

EVENT: dict[str, fuzz.Text] = {
    "event_type": st.sampled_from([json.dumps(it) for it in EVENT_TYPES]),
    "session_id": st.just('"@session@"'),
    "question_id": st.sampled_from(['"@question@"', "null"]),
    "seq": st.sampled_from(["@seq@", "null"]),
    "client_ts": fuzz.valid_times | st.just("null"),
    "payload": fuzz.valid_payloads,
}
events = st.fixed_dictionaries(EVENT).map(fuzz.json_object)
nearly_events = fuzz.nearly(EVENT)
batches = st.lists(events | nearly_events | fuzz.odd, max_size=5).map(lambda some: f'{{"events":{fuzz.array(some)}}}')
nearly_batches = fuzz.nearly(
    {
        "source": st.sampled_from(['"web"', "null"]),
        "stream_id": st.sampled_from(['"@one id@"', "null"]),
        "sent_at": fuzz.valid_times | st.just("null"),
        "dropped": fuzz.any_of({"null", "{}", '{"invalid":1,"closed":2147483647}'}),
        "events": st.lists(events, min_size=1, max_size=3).map(fuzz.array),
    },
    fuzz.odd | fuzz.any_of({'{"invalid":-1}', '{"invalid":2147483648}', '{"bored":1}', '{"invalid":1,"invalid":2}'}),
)


@dataclass
class Account:
    """Posts as one user and keeps the count of what was accepted."""

    caller: Caller
    exam: Exam
    words: fuzz.Words
    accepted: int = 0

    def post(self, text: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Post a body; the answer is checked and counted."""
        filled = self.words.fill(text)
        reply = self.caller.post(filled, headers)
        self.count(reply.status_code, reply.headers["content-type"], reply.content, events_in(filled))
        return reply

    def post_valid(self) -> None:
        reply = self.caller.post_events(self.exam.event(seq=None))
        assert reply.status_code == 202, reply.text
        self.accepted += 1

    def count(self, status: int, content_type: str, content: bytes, events: int | None) -> None:
        assert status in STATUSES, content
        body = json.loads(content)
        assert content_type == "application/json" if status == 202 else "application/problem+json"
        assert status == 202 or (body["status"] == status and body["detail"])
        if "accepted" in body:
            assert_counted(body, events)
            assert (status == 202) == (body["accepted"] > 0)
            self.accepted += body["accepted"]

    def count_any(self, answer: "Answer | None") -> None:
        """Check and count an answer that may come from the server below the gateway, or from another route."""
        assert answer is not None
        if answer.status in {404, 405}:  # an answer to HEAD has no body
            assert answer.content_type == "application/problem+json"
        elif answer.content_type == "application/problem+json" or answer.status == 202:
            self.count(answer.status, answer.content_type, answer.content, None)
        assert answer.status < 500


def assert_counted(body: dict[str, Any], events: int | None) -> None:
    assert events in (None, body["accepted"] + body["rejected"])
    indexes = [it["index"] for it in body["rejected_reasons_sample"]]
    assert len(indexes) == min(body["rejected"], MAX_REASONS_IN_REPLY)
    assert indexes == sorted(set(indexes))


def parsed(text: bytes) -> Any:
    """Return a JSON document; None when it is none, or too deep for this parser."""
    try:
        return json.loads(text.decode(), parse_int=str, parse_constant=int)
    except (ValueError, RecursionError):
        return None


def events_in(text: bytes) -> int | None:
    document = parsed(text)
    found = document.get("events") if isinstance(document, dict) else None
    return len(found) if isinstance(found, list) else None


@pytest.fixture(scope="module")
def url(kafka_bootstrap: str, database: str, module_topic: str) -> Iterator[str]:
    limits = {"rate_limit_events_per_second": "1e9", "rate_limit_burst": "1000000000", "max_requests_per_user": "100"}
    with gateway(kafka_bootstrap, database, module_topic, body_deadline=str(BODY_DEADLINE), **limits) as address:
        yield address


@pytest.fixture(scope="module")
def worker(kafka_bootstrap: str, database: str, module_topic: str) -> Iterator[ConsumerProcess]:
    with consumer(kafka_bootstrap, database, module_topic) as process:
        yield process


@pytest.fixture(scope="module")
def module_account(caller: Caller, exam: Exam, database: str) -> Account:
    return Account(caller, exam, fuzz.Words(exam, insert_exam(database)))


@pytest.fixture
async def account(module_account: Account, worker: ConsumerProcess, database: str) -> AsyncIterator[Account]:
    """What a test had accepted is stored in the end, or clashes by its seq; and the gateway never answered 5xx."""
    yield module_account
    await eventually(lambda: records(database) == module_account.accepted)
    assert set(dead_letters(database).values()) <= {"seq_conflict"}
    assert not re.search(
        r'requests_total\{status="5\d\d"\} (?!0\.0)', module_account.caller.client.get("/metrics").text
    )


def records(database: str) -> int:
    return int(sum(row["records"] for row in ledger(database).values()))


@examples(150)
@given(body=st.binary(max_size=400) | fuzz.json_text.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_get_a_problem(account: Account, body: bytes) -> None:
    assert account.post(body).status_code == 400


@examples(250)
@given(body=fuzz.damaged(batches | nearly_batches))
def test_a_batch_with_anything_wrong_is_counted_or_refused_as_a_whole(account: Account, body: bytes) -> None:
    account.post(body)


@examples(400)
@given(odd=nearly_events | fuzz.odd, first=events, last=events)
def test_an_event_with_anything_wrong_never_fails_its_neighbours(
    account: Account, odd: str, first: str, last: str
) -> None:
    text = f'{{"events":{fuzz.array([first, odd, last])}}}'.encode()
    reply = account.post(text)
    if parsed(account.words.fill(text)) is not None:
        assert reply.json()["accepted"] >= 2


@pytest.mark.parametrize("depths", [range(190, 205), range(940, 1_000)])  # where the parsers that are used give up
def test_no_depth_of_nesting_brings_the_gateway_down(account: Account, depths: range) -> None:
    event = json.dumps(account.exam.event(seq=None))
    for depth in depths:
        deep = event.replace('"choice": 2', f'"choice": {"[" * depth}{"]" * depth}')
        account.post(f'{{"events":[{event},{deep}]}}'.encode())


STEPS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "cut": lambda body: body[:-3],
    "begin late": lambda body: body[2:],
    "damage": lambda body: body[:20] + b"\xa5" + body[21:],
    "twice": lambda body: body * 2,
    "zeros": lambda body: body + b"\0" * 400_000,
}
ENCODINGS = ["gzip", "GZIP", "identity", "", "br", "gzip, gzip", "deflate", "x-gzip", "gzip;q=1", "\xff"]


@examples(250)
@given(
    some=st.lists(events, min_size=1, max_size=3),
    steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=3) | st.just(["gzip"]),
    encoding=st.sampled_from(ENCODINGS),
)
def test_a_body_that_is_not_encoded_as_it_says_is_refused(
    account: Account, some: list[str], steps: list[str], encoding: str
) -> None:
    body = account.words.fill(f'{{"events":{fuzz.array(some)}}}'.encode())
    for step in steps:
        body = STEPS[step](body)
    reply = account.post(body, {"content-encoding": encoding})
    if steps == ["gzip"] and encoding.lower() == "gzip":
        assert "accepted" in reply.json()


CLAIMS = {"sub": st.just('"@user@"'), "exp": st.just("99999999999")}
HEADER = {"alg": st.just('"HS256"'), "typ": st.just('"JWT"')}


def signed(*parts: str) -> str:
    """Return a token with our signature, whatever its header and its claims are."""
    encoded = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=") for part in parts]
    signature = hmac.digest(JWT_SECRET.encode(), b".".join(encoded), "sha256")
    return b".".join([*encoded, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


@examples(150)
@given(
    parts=st.tuples(fuzz.nearly(HEADER), fuzz.nearly(CLAIMS)) | st.tuples(fuzz.json_text, fuzz.json_text),
    scheme=st.sampled_from(["Bearer ", "bearer ", "Bearer  ", "Basic ", "Bearer", ""]),
    end=st.sampled_from(["", "", "=", ".", "\xe9"]),
)
def test_a_token_is_good_or_refused(account: Account, parts: tuple[str, str], scheme: str, end: str) -> None:
    header, claims = parts
    credentials = scheme + signed(header, claims.replace("@user@", account.exam.user)) + end
    body = json.dumps({"events": [account.exam.event(seq=None)]}).encode()
    too_long = {431} if len(credentials) > UNCONNECTED.max_head_bytes - 1000 else set()
    assert account.post(body, {"authorization": credentials}).status_code in {202, 401} | too_long


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    content: bytes


def read_answer(stream: BinaryIO) -> Answer | None:
    """Return the next answer of a connection; None when it was closed. Raises TimeoutError when neither happens."""
    line = stream.readline()
    headers = http.client.parse_headers(stream)
    if line.startswith(b"HTTP/1.1 100 "):
        return read_answer(stream)
    if not line:
        return None
    return Answer(int(line.split()[1]), headers["content-type"] or "", stream.read(int(headers["content-length"] or 0)))


@contextmanager
def conversation(url: str) -> Iterator[tuple[socket.socket, BinaryIO]]:
    address = httpx.URL(url)
    with (
        socket.create_connection((address.host, address.port or 80), timeout=PATIENCE) as connection,
        connection.makefile("rb") as stream,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        yield connection, stream


def ask(url: str, *pieces: bytes, answers: int = 1) -> list[Answer | None]:
    """Send the pieces one by one; return the first answers."""
    with conversation(url) as (connection, stream):
        with suppress(ConnectionError):  # an answer may come, and the connection go, before all is sent
            for piece in pieces:
                connection.sendall(piece)
        return [read_answer(stream) for _ in range(answers)]


def head(user: str, *lines: bytes, request: bytes = b"POST " + PATH.encode() + b" HTTP/1.1") -> bytes:
    given = [request, b"host: x", b"authorization: Bearer " + token(user).encode(), *lines]
    return b"\r\n".join([*given, b"", b""])


def chunked(body: bytes, size: int, extension: bytes = b"") -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces) + b"0\r\n"


FRAMES: dict[str, Callable[[bytes], tuple[list[bytes], bytes]]] = {
    "right": lambda body: ([b"content-length: %d" % len(body)], body),
    "chunked": lambda body: ([b"transfer-encoding: chunked"], chunked(body, 7) + b"\r\n"),
    "extensions": lambda body: ([b"transfer-encoding: chunked"], chunked(body, 99, b";a=b") + b"x: y\r\n\r\n"),
}
BAD_FRAMES: dict[str, Callable[[bytes], tuple[list[bytes], bytes]]] = {
    "none": lambda body: ([], body),
    "short": lambda body: ([b"content-length: %d" % (len(body) - 4)], body),
    "long": lambda body: ([b"content-length: %d" % (len(body) + 4)], body),
    "negative": lambda body: ([b"content-length: -%d" % len(body)], body),
    "signed": lambda body: ([b"content-length: +%d" % len(body)], body),
    "word": lambda body: ([b"content-length: all"], body),
    "hex": lambda body: ([b"content-length: 0x%x" % len(body)], body),
    "list": lambda body: ([b"content-length: %d, %d" % (len(body), len(body))], body),
    "enormous": lambda body: ([b"content-length: " + b"9" * 30], body),
    "large": lambda body: ([b"content-length: 99999999999"], body + b" " * 1_000_000),
    "two": lambda body: ([b"content-length: %d" % len(body), b"content-length: 4"], body),
    "both": lambda body: ([b"content-length: 4", b"transfer-encoding: chunked"], chunked(body, 50) + b"\r\n"),
    "other coding": lambda body: ([b"transfer-encoding: gzip"], body),
    "no chunks": lambda body: ([b"transfer-encoding: chunked"], body),
    "no end": lambda body: ([b"transfer-encoding: chunked"], chunked(body, 50)[:-3]),
    "negative chunk": lambda body: ([b"transfer-encoding: chunked"], b"-1\r\n" + body),
    "enormous chunk": lambda body: ([b"transfer-encoding: chunked"], b"f" * 30 + b"\r\n" + body),
    "lying chunk": lambda body: ([b"transfer-encoding: chunked"], b"4\r\n" + body + b"\r\n0\r\n\r\n"),
    "endless trailers": lambda body: ([b"transfer-encoding: chunked"], chunked(body, 50) + b"x: y\r\n" * 30_000),
}


def batch(account: Account) -> bytes:
    return json.dumps({"events": [account.exam.event(seq=None)]}).encode()


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("cuts", [1, 5])
def test_a_body_in_any_frame_is_read_and_the_connection_serves_on(
    account: Account, url: str, frame: str, cuts: int
) -> None:
    lines, body = FRAMES[frame](batch(account))
    data = head(account.exam.user, *lines) + body
    size = len(data) // cuts + 1
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    for answer in ask(url, *pieces, *pieces, answers=2):
        assert answer is not None
        account.count(answer.status, answer.content_type, answer.content, 1)
        assert answer.status == 202


@pytest.mark.parametrize("frame", BAD_FRAMES)
def test_a_length_that_lies_is_refused_and_harms_nobody(account: Account, url: str, frame: str) -> None:
    lines, body = BAD_FRAMES[frame](batch(account))
    (answer,) = ask(url, head(account.exam.user, *lines) + body)
    assert answer is not None
    assert answer.status in {400, 408, 413, 431}
    account.post_valid()


REQUEST_LINES = [
    *(f"{method} {PATH} HTTP/1.1".encode() for method in ("GET", "HEAD", "PUT", "OPTIONS", "CONNECT", "post", "BREW")),
    *(
        b"POST " + target + b" HTTP/1.1"
        for target in (b"*", b"/", b"//", b"/v1/telemetry/events/", b"/%00", b"/%ff", b"/\xff", b"http://[", b"?", b"")
    ),
    *(
        f"POST {PATH}{rest}".encode()
        for rest in ("", " HTTP/0.9", " HTTP/1.0", " HTTP/2.0", " HTTP/9.9", "?a=%00 HTTP/1.1")
    ),
]
HEADER_LINES = st.sampled_from(
    [
        b"x: " + b"a" * 100_000,
        b"x: y\r\n" * 2_000 + b"x: y",
        *(
            b"authorization: " + value
            for value in (b"Bearer x", b"", b"\xff", b"Bearer \xc3\xa9", b"Bearer " + b"." * 9_000)
        ),
        *(b"cookie: " + value for value in (b"access_token=x", b"access_token", b"=; ;=\xff;", b"a=b; " * 2_000)),
        *(
            b"content-type: " + value
            for value in (b"text/plain", b"\xff", b"", b"multipart/form-data", b"a/b; charset=x")
        ),
        *(b"content-encoding: " + value for value in (b"gzip", b"identity", b"\xff", b"")),
        *(b"expect: " + value for value in (b"100-continue", b"200-ok")),
        *(b"connection: " + value for value in (b"close", b"keep-alive, x", b"\xff", b"upgrade\r\nupgrade: websocket")),
        *(b"upgrade: " + value for value in (b"h2c", b"websocket")),
        *(b"origin: " + value for value in (b"null", b"\xff", b"https://exam.example")),
        *(b"host: " + value for value in (b"y", b"", b"\xff")),
        b"x-forwarded-for: \xff",
        b'forwarded: for="',
    ]
) | st.binary(max_size=20)


@examples(120)
@given(lines=st.lists(HEADER_LINES, min_size=1, max_size=3), first=st.booleans())
def test_no_header_brings_the_gateway_down(account: Account, url: str, lines: list[bytes], first: bool) -> None:
    body = batch(account)
    length = b"content-length: %d" % len(body)
    (answer,) = ask(url, head(account.exam.user, *([*lines, length] if first else [length, *lines])) + body)
    account.count_any(answer)


@pytest.mark.parametrize("line", REQUEST_LINES)
def test_no_request_line_brings_the_gateway_down(account: Account, url: str, line: bytes) -> None:
    body = batch(account)
    (answer,) = ask(
        url, head(account.exam.user, b"content-length: %d" % len(body), b"connection: close", request=line) + body
    )
    account.count_any(answer)


def test_bodies_that_do_not_come_are_given_up_while_others_are_served(account: Account, url: str) -> None:
    start = head(account.exam.user, b"content-length: 99") + b'{"events": ['
    with ExitStack() as stack:
        waiting = [stack.enter_context(conversation(url)) for _ in range(30)]
        for connection, _ in waiting:
            connection.sendall(start)
        account.post_valid()
        assert {getattr(read_answer(stream), "status", None) for _, stream in waiting} == {408}


def test_a_body_that_comes_byte_by_byte_is_given_up_at_the_deadline(account: Account, url: str) -> None:
    with conversation(url) as (connection, stream):
        connection.sendall(head(account.exam.user, b"content-length: 9999999"))  # which would take a day
        while not select.select([connection], [], [], 0.01)[0]:
            connection.sendall(b" ")
        answer = read_answer(stream)
    assert answer is not None
    assert answer.status == 408


def test_callers_that_leave_in_the_middle_are_forgotten(account: Account, url: str) -> None:
    for cut in range(40):
        with conversation(url) as (connection, _):
            connection.sendall(head(account.exam.user, b"content-length: 99") + b" " * cut)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
    account.post_valid()


api = schemathesis.openapi.from_dict(create_app(UNCONNECTED).openapi())


# named by hand: schemathesis gives all operations of a test the same name, and pytest-xdist runs a name once
OPERATIONS = [(path, method.upper()) for path, methods in api.raw_schema["paths"].items() for method in methods]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_the_openapi_document_is_right_about_every_answer(path: str, method: str, url: str, account: Account) -> None:
    @examples(60)
    @given(case=api[path][method].as_strategy())
    def call(case: schemathesis.Case[Any]) -> None:
        headers = {"authorization": f"Bearer {token(account.exam.user)}"}
        # no schema says that 1.0 is not an integer, nor counts the bytes of a payload
        case.call_and_validate(url, headers=headers, timeout=PATIENCE, excluded_checks=[positive_data_acceptance])

    call()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_the_openapi_document_is_right_about_every_answer_to_a_stranger(path: str, method: str, url: str) -> None:
    @examples(30)
    @given(case=api[path][method].as_strategy())
    def call(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(url, timeout=PATIENCE)

    call()
