"""What is answered where nothing is served, to methods that are not, and after a fault; and what the log says of it."""

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from attemptlog.ingest_api.refusals import MAX_CALLERS, MAX_SESSIONS, Refusals
from attemptlog.ingest_api.sessions import Session
from attemptlog.publisher import MemoryPublisher
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.schemas import Envelope
from tests.support.eventually import eventually
from tests.support.http import PATH, Exam, token
from tests.support.in_process import gateway_in_process
from tests.support.key_server import token_of_key
from tests.support.series import scraped

EXAM = Exam()
OWN = {EXAM.session: Session(EXAM.user, frozenset([EXAM.question]))}
ORIGIN = "https://exam.example"
KEY = "the key of the tests' pseudonyms, long enough"
PSEUDONYMS = Pseudonyms(KEY)


class FaultyPublisher(MemoryPublisher):
    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        raise ZeroDivisionError("a fault")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    settings: dict[str, Any] = {
        "cors_origins": ORIGIN,
        "max_body_bytes": 2048,
        "pseudonym_key": KEY,
        "rate_limit_burst": 100,
        "rate_limit_events_per_second": 0.01,  # a slow machine earns no more events
    }
    async with gateway_in_process(OWN, **settings) as it:
        yield it


async def post(client: httpx.AsyncClient, body: Any, path: str = PATH, user: str = EXAM.user) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps({"events": body}).encode()
    return await client.post(path, content=content, headers={"authorization": f"Bearer {token(user)}"})


def is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    problem = answer.json()
    return (answer.status_code, problem["status"], problem["code"], answer.headers["content-type"]) == (
        status,
        status,
        code,
        "application/problem+json",
    )


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/telemetry", f"{PATH}//", f"/v2{PATH}", "/healthz/more", "//", "/%00"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
async def test_where_nothing_is_served_the_answer_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, f"http://gateway{path}")
    assert is_problem(answer, 404, "not_found")
    assert PATH in answer.json()["detail"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        (PATH, "GET", "OPTIONS, POST"),
        (PATH, "PUT", "OPTIONS, POST"),
        ("/healthz", "POST", "GET, HEAD, OPTIONS"),
        ("/readyz", "DELETE", "GET, HEAD, OPTIONS"),
        ("/metrics", "PATCH", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "POST", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_method_that_is_not_served_is_told_those_that_are(
    client: httpx.AsyncClient, path: str, method: str, allow: str, slash: str
) -> None:
    answer = await client.request(method, path + slash)
    assert is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allow
    options = await client.options(path + slash)
    assert (options.status_code, options.headers["allow"], options.content) == (204, allow, b"")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_can_be_read_can_be_asked_for_with_head_and_a_slash_makes_no_difference(
    client: httpx.AsyncClient, path: str, method: str
) -> None:
    for address in (path, f"{path}/"):
        assert (await client.request(method, address)).status_code == 200


async def test_a_batch_with_a_slash_at_the_end_of_its_address_is_taken(client: httpx.AsyncClient) -> None:
    answer = await post(client, [EXAM.event()], f"{PATH}/")
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)


async def test_a_page_may_read_that_its_address_is_wrong(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/event", headers={"origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("bearer", ["", "x", token(EXAM.user, exp=1)])
async def test_who_has_no_good_token_is_told_how_to_give_one(client: httpx.AsyncClient, bearer: str) -> None:
    answer = await client.post(PATH, headers={"authorization": f"Bearer {bearer}"})
    assert is_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["detail"]


async def test_who_has_a_token_that_cannot_be_checked_now_is_told_when_to_come_again() -> None:
    nowhere: dict[str, Any] = {"jwt_secret": None, "jwt_jwks_url": "http://127.0.0.1:1/jwks.json"}
    bearer = token_of_key(EXAM.user, "one", ec.generate_private_key(ec.SECP256R1()), "ES256")
    async with gateway_in_process(OWN, **nowhere) as client:
        answer = await client.post(PATH, headers={"authorization": f"Bearer {bearer}"})
    assert is_problem(answer, 503, "unavailable")
    assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert answer.json()["detail"] == "the key for this token cannot be fetched now"


async def test_a_fault_is_answered_as_a_problem_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with gateway_in_process(OWN, FaultyPublisher()) as client:
        answer = await post(client, [EXAM.event()])
        metrics = (await client.get("/metrics")).text
    assert is_problem(answer, 500, "internal_error")
    assert 'attemptlog_ingest_requests_total{status="500"} 1.0' in metrics
    assert [it.exc_info is not None for it in caplog.records if it.levelname == "ERROR"] == [True]


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    names = ("code", "user", "sessions", "requests", "reasons")
    records = [vars(it) for it in caplog.records if vars(it).get("action") == "batches_refused"]
    return [{name: record[name] for name in names} for record in records]


def line(code: str, *sessions: str, user_id: str | None = EXAM.user, **reasons: int) -> dict[str, Any]:
    user = PSEUDONYMS.of_user(user_id.encode()) if user_id else None
    named = sorted(PSEUDONYMS.of_session(each.encode()) for each in sessions)
    return {"code": code, "user": user, "sessions": named, "requests": 1, "reasons": reasons}


async def test_the_log_says_whose_batches_are_refused_and_why(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    another = str(uuid.uuid4())
    await post(client, [EXAM.event(), EXAM.event(seq=-1), EXAM.event(event_type="LOGIN", session_id=another.upper())])
    await post(client, [EXAM.event(event_type="LOGIN"), 7, {"session_id": "no id"}])
    await post(client, [EXAM.event(session_id=another)])
    await post(client, b"secret")
    await post(client, b" " * 3000)
    await client.post(PATH, headers={"authorization": "Bearer secret"})
    assert told(caplog) == [
        line("some_events", EXAM.session, another, invalid_field=1, unknown_event_type=1),
        line("every_event_invalid", EXAM.session, invalid_field=2, unknown_event_type=1),
        line("nothing_allowed", another, session_not_owned=1),
        line("bad_body"),
        line("body_too_large"),
        line("unauthenticated", user_id=None),
    ]
    written = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert all(each not in written.lower() for each in ("secret", EXAM.user, EXAM.session, another))


async def test_the_log_says_who_sends_too_much(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    events = [EXAM.event(seq=seq, payload={}) for seq in range(5)]
    statuses = [(await post(client, events)).status_code for _ in range(21)]
    assert statuses[-1] == 429
    assert told(caplog) == [line("too_many_events", EXAM.session)]


async def test_what_is_served_or_not_the_callers_fault_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    publisher = MemoryPublisher()
    async with gateway_in_process(OWN, publisher) as client:
        await post(client, [EXAM.event()])
        publisher.is_ready = False
        assert (await post(client, [EXAM.event()])).status_code == 503
        await client.get("/nowhere")
    assert told(caplog) == []


async def test_repeats_are_told_together_at_the_end_of_the_interval(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attemptlog.ingest_api.refusals.INTERVAL", timedelta(milliseconds=50))
    with Refusals(PSEUDONYMS) as refusals:
        for _ in range(1000):
            refusals.note("bad_body", EXAM.user, sessions=[EXAM.session], reasons=["invalid_field"] * 2)
        await eventually(lambda: len(told(caplog)) == 2)
        refusals.note("bad_body", EXAM.user)
    assert [it["requests"] for it in told(caplog)] == [1, 999, 1]
    assert told(caplog)[1] | {"requests": 1} == line("bad_body", EXAM.session, invalid_field=2 * 999)


def test_without_a_key_the_pseudonyms_are_of_one_process(caplog: pytest.LogCaptureFixture) -> None:
    async def refuse() -> None:
        with Refusals() as refusals:
            refusals.note("bad_body", EXAM.user)
            refusals.note("bad_field", EXAM.user)

    asyncio.run(refuse())
    asyncio.run(refuse())
    users = [it["user"] for it in told(caplog)]
    assert (users[0] == users[1], users[2] == users[3], len(set(users))) == (True, True, 2)


async def test_the_last_repeats_are_told_when_the_gateway_stops(caplog: pytest.LogCaptureFixture) -> None:
    with Refusals(PSEUDONYMS) as refusals:
        for _ in range(3):
            refusals.note("bad_body", EXAM.user)
    assert [it["requests"] for it in told(caplog)] == [1, 2]


async def test_however_many_callers_and_sessions_there_are_the_lines_are_few_and_short(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Refusals(PSEUDONYMS) as refusals:
        for _ in range(10 * MAX_CALLERS):
            refusals.note("bad_body", str(uuid.uuid4()), sessions=[str(uuid.uuid4()) for _ in range(50)])
    lines = told(caplog)
    assert len(lines) == MAX_CALLERS + 1
    assert sum(it["requests"] for it in lines) == 10 * MAX_CALLERS
    assert max(len(it["sessions"]) for it in lines) == MAX_SESSIONS
    assert all(record.levelno == logging.WARNING for record in caplog.records)


TOLD: list[tuple[str | None, tuple[int, int]]] = [
    ("application/json;flushes=1;retries=0", (1, 0)),
    ("application/json;flushes=3;retries=27", (3, 27)),
    ("application/json;flushes=9999;retries=9999", (9999, 9999)),
    ("application/json;flushes=99999;retries=1", (0, 0)),
    ("application/json;flushes=-1;retries=1", (0, 0)),
    ("application/json;flushes=1;retries=1;q=0.5", (0, 0)),
    ("application/json, text/plain, */*", (0, 0)),
    ("*/*", (0, 0)),
    (None, (0, 0)),
]


@pytest.mark.parametrize(("accept", "counted"), TOLD)
async def test_what_a_page_tells_of_its_flushes_and_retries_is_counted(
    client: httpx.AsyncClient, accept: str | None, counted: tuple[int, int]
) -> None:
    headers = {"authorization": f"Bearer {token(EXAM.user)}"} | ({} if accept is None else {"accept": accept})
    answer = await client.post(PATH, content=json.dumps({"events": [EXAM.event()]}), headers=headers)
    assert answer.status_code == 202
    assert await efforts(client) == counted


async def test_what_a_page_tells_is_counted_once_its_batch_is_accepted(client: httpx.AsyncClient) -> None:
    headers = {"accept": "application/json;flushes=1;retries=1"}
    assert (await client.post(PATH, content=b"{}", headers=headers)).status_code == 401
    assert await efforts(client) == (0, 0)


async def efforts(client: httpx.AsyncClient) -> tuple[float, ...]:
    """Return how many flushes and retries pages told."""
    families = scraped((await client.get("/metrics")).text)
    names = ("attemptlog_ingest_client_flushes", "attemptlog_ingest_client_retries")
    return tuple(next(it.value for it in families[name].samples if it.name == f"{name}_total") for name in names)
