"""The session service of the example platform on a real PostgreSQL, with the rights that it needs and no others."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import psycopg
import pytest

from attemptlog.event_store.decoding import decode_batch
from attemptlog.event_store.store import Store
from attemptlog.publisher import MemoryPublisher
from attemptlog.schemas import decode, encode
from attemptlog.schemas.documents import PAYLOAD_EXAMPLES
from examples.exam_platform.sessions import store
from examples.exam_platform.sessions.attempts import MAX_OPEN_SESSIONS
from examples.exam_platform.sessions.exam import DURATION, EXAM_ID, QUESTIONS, TITLE, question_id
from examples.exam_platform.sessions.prepare import prepare
from examples.exam_platform.sessions.tokens import LIFETIME
from tests.support.consumer import Partition, query
from tests.support.exam_platform import ORIGIN, Guest, browser, counted, let_expire, platform, settings, told
from tests.support.http import JWT_SECRET, token

ITEMS = len(QUESTIONS)
ENDPOINTS = {
    "me": ("GET", "/v1/me"),
    "exams": ("GET", "/v1/exams"),
    "begin": ("POST", "/v1/sessions"),
    "read": ("GET", "/v1/sessions/{session}"),
    "answer": ("POST", "/v1/sessions/{session}/answer"),
    "submit": ("POST", "/v1/sessions/{session}/submit"),
    "review": ("GET", "/v1/sessions/{session}/review"),
    "events": ("GET", "/v1/sessions/{session}/events"),
}
BODIES: dict[str, Any] = {
    "begin": {"exam_id": str(EXAM_ID)},
    "answer": {"question_id": str(question_id(1)), "choice": 0},
}
EXAM_AS_PREPARED = """
SELECT *
FROM exam_platform.exams
JOIN exam_platform.questions USING (exam_id)
JOIN public.exam_questions USING (exam_id, question_id)
ORDER BY pos
"""
SESSION_ENDPOINTS = ["read", "answer", "submit", "review", "events"]


@pytest.fixture
def publisher() -> MemoryPublisher:
    return MemoryPublisher()


@pytest.fixture
async def service(platform_url: str, publisher: MemoryPublisher) -> AsyncIterator[httpx.AsyncBaseTransport]:
    async with platform(settings(platform_url), publisher) as running:
        yield running


async def ask(client: httpx.AsyncClient, endpoint: str, session: str) -> httpx.Response:
    method, path = ENDPOINTS[endpoint]
    return await client.request(method, path.format(session=session), json=BODIES.get(endpoint))


def problem(reply: httpx.Response) -> tuple[int, str]:
    """Return status and code of a refusal, which has to be of the one form."""
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert body.keys() == {"type", "title", "status", "detail", "code"}
    assert body["status"] == reply.status_code
    return reply.status_code, body["code"]


async def test_a_login_gives_a_token_that_pages_cannot_read_and_the_gateway_takes(
    service: httpx.AsyncBaseTransport,
) -> None:
    async with browser(service) as client:
        reply = await client.post("/v1/login", json={"name": "  Ada Lovelace "})
        assert reply.json() == {"user_id": reply.json()["user_id"], "name": "Ada Lovelace"}
        assert reply.headers["set-cookie"].split("; ")[1:] == [
            "HttpOnly",
            "Max-Age=28800",
            "Path=/",
            "SameSite=strict",
        ]
        claims = jwt.decode(client.cookies["access_token"], JWT_SECRET, algorithms=["HS256"])
        assert claims.keys() == {"sub", "exp"}
        assert claims["sub"] == reply.json()["user_id"]
        assert timedelta(0) <= LIFETIME - timedelta(seconds=claims["exp"] - time.time()) < timedelta(minutes=1)
        assert (await client.get("/v1/me")).json() == reply.json()


async def test_a_cookie_of_a_site_with_tls_is_never_sent_without(platform_url: str) -> None:
    async with platform(settings(platform_url, public_origin="https://exams.example"), MemoryPublisher()) as service:
        reply = await browser(service).post("/v1/login", json={"name": "Ada"})
        assert reply.headers["set-cookie"].endswith("; Secure")


async def test_audience_and_issuer_are_set_and_asked_for(platform_url: str) -> None:
    given = settings(platform_url, jwt_audience="exams", jwt_issuer="https://exams.example")
    async with platform(given, MemoryPublisher()) as service:
        guest = await Guest.enter(service)
        claims = jwt.decode(guest.client.cookies["access_token"], JWT_SECRET, algorithms=["HS256"], audience="exams")
        assert claims["iss"] == "https://exams.example"
        assert (await guest.client.get("/v1/me")).status_code == httpx.codes.OK
        stranger = browser(service, cookies={"access_token": token(guest.user)})
        assert problem(await stranger.get("/v1/me")) == (401, "unauthenticated")


async def test_who_gives_the_same_name_again_is_somebody_else(service: httpx.AsyncBaseTransport) -> None:
    assert (await Guest.enter(service)).user != (await Guest.enter(service)).user


@pytest.mark.parametrize(
    "name",
    [None, 7, "", "   ", "x" * 81, "a\x00b", "a\nb", "\x7f"],
    ids=["null", "number", "empty", "blank", "long", "nul", "line", "del"],
)
async def test_a_name_is_1_to_80_characters_without_control_characters(
    service: httpx.AsyncBaseTransport, name: Any
) -> None:
    assert problem(await browser(service).post("/v1/login", json={"name": name})) == (400, "bad_request")


@pytest.mark.parametrize("name", ["x" * 80, "李", "Zoë O'Neill-García"])
async def test_a_name_may_be_of_any_script(service: httpx.AsyncBaseTransport, name: str) -> None:
    assert (await browser(service).post("/v1/login", json={"name": name})).json()["name"] == name


@pytest.mark.parametrize("bad", ["none", "garbage", "expired", "other_secret", "no_algorithm", "no_expiry", "no_uuid"])
async def test_without_a_good_token_nothing_is_answered(service: httpx.AsyncBaseTransport, bad: str) -> None:
    user = str(uuid.uuid4())
    tokens = {
        "none": "",
        "garbage": "a.b.c",
        "expired": token(user, exp=time.time() - 1),
        "other_secret": token(user, key=JWT_SECRET + "!"),
        "no_algorithm": token(user, key=None, algorithm="none"),
        "no_expiry": token(user, exp=None),
        "no_uuid": token("Ada"),
    }
    client = browser(service, cookies={"access_token": tokens[bad]})
    replies = [await ask(client, endpoint, str(uuid.uuid4())) for endpoint in ENDPOINTS]
    assert [problem(reply) for reply in replies] == [(401, "unauthenticated")] * len(ENDPOINTS)


@pytest.mark.parametrize("endpoint", ["me", "begin"])
async def test_a_candidate_whom_another_database_knew_has_to_log_in_again(
    service: httpx.AsyncBaseTransport, endpoint: str
) -> None:
    client = browser(service, cookies={"access_token": token(str(uuid.uuid4()))})
    assert problem(await ask(client, endpoint, "")) == (401, "unauthenticated")


@pytest.mark.parametrize("endpoint", SESSION_ENDPOINTS)
async def test_somebody_elses_session_is_answered_as_one_that_does_not_exist(
    service: httpx.AsyncBaseTransport, publisher: MemoryPublisher, endpoint: str
) -> None:
    owner, stranger = await Guest.enter(service), await Guest.enter(service)
    session = await owner.begin()
    foreign = await ask(stranger.client, endpoint, session)
    unknown = await ask(stranger.client, endpoint, str(uuid.uuid4()))
    assert problem(foreign) == (404, "not_found")
    assert foreign.content == unknown.content
    assert (await owner.read()).json()["state"] == "open"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("endpoint", SESSION_ENDPOINTS)
async def test_a_page_of_another_site_or_port_can_do_nothing(
    service: httpx.AsyncBaseTransport, endpoint: str, site: str
) -> None:
    guest = await Guest.enter(service)
    session = await guest.begin()
    guest.client.headers["sec-fetch-site"] = site
    assert problem(await ask(guest.client, endpoint, session)) == (403, "other_site")
    guest.client.headers["sec-fetch-site"] = "same-origin"
    assert (await ask(guest.client, endpoint, session)).status_code == httpx.codes.OK


async def test_pages_learn_where_to_send_events_before_anybody_is_logged_in(platform_url: str) -> None:
    url = "https://telemetry.example/v1/telemetry/events"
    async with platform(settings(platform_url, telemetry_url=url), MemoryPublisher()) as service:
        assert (await browser(service).get("/v1/config")).json() == {"telemetry_url": url, "has_console": False}


async def test_the_way_to_the_console_carries_who_looks(platform_url: str) -> None:
    async with platform(settings(platform_url, console_url="http://127.0.0.1:8003"), MemoryPublisher()) as service:
        guest = await Guest.enter(service)
        own = await entered(guest, to="/sessions/x")
        assert own.keys() == {"sub", "exp"}
        assert own["sub"] == guest.user
        [exam] = (await guest.client.get("/v1/exams")).json()
        examiner, operator = await entered(guest, **{"as": "examiner"}), await entered(guest, **{"as": "operator"})
        assert (examiner["attemptlog_role"], examiner["attemptlog_exams"]) == ("examiner", [exam["id"]])
        assert operator["attemptlog_role"] == "operator"
        assert "attemptlog_exams" not in operator
        assert len({own["sub"], examiner["sub"], operator["sub"]}) == 3
        for wrong in ({"as": "admin"}, {"to": "https://elsewhere.example"}, {"to": "//elsewhere.example/a.b"}):
            assert problem(await guest.client.get("/console", params=wrong)) == (400, "bad_request")
        assert problem(await browser(service).get("/console")) == (401, "unauthenticated")


async def entered(guest: Guest, **query: str) -> dict[str, Any]:
    """Return the claims of the token with which the platform sends a browser to the console."""
    reply = await guest.client.get("/console", params=query)
    assert reply.status_code == httpx.codes.SEE_OTHER
    address = urlsplit(reply.headers["location"])
    assert (address.netloc, address.path, address.query) == ("127.0.0.1:8003", "/", "")
    fragment = dict(parse_qsl(address.fragment))
    assert fragment["to"] == query.get("to", "/")
    claims: dict[str, Any] = jwt.decode(fragment["token"], JWT_SECRET, algorithms=["HS256"])
    return claims


async def test_without_a_console_there_is_no_way_to_it(service: httpx.AsyncBaseTransport) -> None:
    guest = await Guest.enter(service)
    assert problem(await guest.client.get("/console")) == (404, "not_found")


async def test_an_exam_is_there_to_be_sat(service: httpx.AsyncBaseTransport) -> None:
    guest = await Guest.enter(service)
    seconds = int(DURATION.total_seconds())
    listed = [{"id": str(EXAM_ID), "title": TITLE, "items": ITEMS, "seconds": seconds}]
    assert (await guest.client.get("/v1/exams")).json() == listed


def test_the_console_is_told_what_the_exam_and_its_questions_are_called(database_url: str) -> None:
    prepare(database_url)
    with psycopg.connect(database_url) as connection:
        titles = connection.execute("SELECT exam_id, title FROM exam_titles").fetchall()
        asked = connection.execute("SELECT position, title FROM question_titles ORDER BY position").fetchall()
    assert titles == [(EXAM_ID, TITLE)]
    assert asked == [(pos, question.text) for pos, question in enumerate(QUESTIONS, 1)]


async def test_a_session_has_the_questions_but_not_the_right_answers(service: httpx.AsyncBaseTransport) -> None:
    guest = await Guest.enter(service)
    begun = await guest.client.post("/v1/sessions", json={"exam_id": str(EXAM_ID)})
    assert begun.status_code == httpx.codes.CREATED
    session = begun.json()
    guest.session = session["id"]
    assert session | {"expires_at": "", "server_now": ""} == {
        "id": guest.session,
        "exam": {"id": str(EXAM_ID), "title": TITLE},
        "state": "open",
        "expires_at": "",
        "server_now": "",
        "questions": [
            {
                "id": str(question_id(pos)),
                "pos": pos,
                "text": it.text,
                "choices": list(it.choices),
                "choice": None,
                "marked": False,
            }
            for pos, it in enumerate(QUESTIONS, 1)
        ],
    }
    expires_at, now = (datetime.fromisoformat(session[name]) for name in ("expires_at", "server_now"))
    assert expires_at - now == DURATION
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)
    assert (await guest.read()).json() | {"server_now": ""} == session | {"server_now": ""}


async def test_an_exam_that_is_not_there_cannot_be_sat(service: httpx.AsyncBaseTransport) -> None:
    guest = await Guest.enter(service)
    reply = await guest.client.post("/v1/sessions", json={"exam_id": str(uuid.uuid4())})
    assert problem(reply) == (404, "not_found")


async def test_open_sessions_of_a_candidate_are_bounded_even_when_they_are_begun_at_once(
    service: httpx.AsyncBaseTransport, owner_url: str
) -> None:
    guest = await Guest.enter(service)
    body = BODIES["begin"]
    replies = await asyncio.gather(
        *(guest.client.post("/v1/sessions", json=body) for _ in range(MAX_OPEN_SESSIONS + 5))
    )
    begun = [reply.json()["id"] for reply in replies if reply.status_code == httpx.codes.CREATED]
    assert len(begun) == MAX_OPEN_SESSIONS
    assert {problem(reply) for reply in replies if reply.is_error} == {(409, "too_many_sessions")}
    let_expire(owner_url, begun[0])
    await guest.begin()


async def test_a_whole_attempt_is_told_in_order_and_as_it_was(platform_url: str, publisher: MemoryPublisher) -> None:
    async with platform(settings(platform_url), publisher) as service:
        guest = await Guest.enter(service)
        await guest.begin()
        first = await guest.answer(2, choice=0)
        await guest.answer(2, choice=0)
        changed = await guest.answer(2, choice=1)
        marked = await guest.answer(3, marked=True)
        await guest.answer(3, marked=True)
        both = await guest.answer(3, choice=3, marked=False)
        review = (await guest.review()).json()
        handed_in = await guest.submit()
        looked_back = (await guest.review()).json()
    assert [reply.json() for reply in (first, changed, marked, both)] == [
        {"question_id": str(question_id(2)), "choice": 0, "marked": False},
        {"question_id": str(question_id(2)), "choice": 1, "marked": False},
        {"question_id": str(question_id(3)), "choice": None, "marked": True},
        {"question_id": str(question_id(3)), "choice": 3, "marked": False},
    ]
    assert told(publisher.envelopes, guest.session) == [
        ("SESSION_CREATED", {"items": 8}),
        ("ANSWER_SELECTED", {"pos": 2, "choice": 0}),
        ("ANSWER_CHANGED", {"pos": 2, "choice": 1, "prev_choice": 0}),
        ("MARK_FOR_REVIEW_TOGGLED", {"pos": 3, "marked": True}),
        ("ANSWER_SELECTED", {"pos": 3, "choice": 3}),
        ("MARK_FOR_REVIEW_TOGGLED", {"pos": 3, "marked": False}),
        ("REVIEW_OPENED", {"marked": 0}),
        ("SESSION_SUBMITTED", {"answered": 2}),
        ("REVIEW_OPENED", {"marked": 0}),
    ]
    questions = [it.question_id for it in publisher.envelopes]
    two, three = str(question_id(2)), str(question_id(3))
    assert questions == [None, two, two, three, three, three, None, None, None]
    assert {(it.user_id, it.seq, it.source) for it in publisher.envelopes} == {(guest.user, None, "api")}
    assert handed_in.json() == {"state": "submitted", "answered": 2}
    assert (review["answered"], review["marked"], review["items"], review["score"]) == (2, 0, 8, None)
    assert {it["correct"] for it in review["questions"]} == {None}
    assert (looked_back["state"], looked_back["score"]) == ("submitted", 2)
    assert [it["correct"] for it in looked_back["questions"]] == [it.correct for it in QUESTIONS]
    assert [it["choice"] for it in looked_back["questions"]] == [None, 1, 3, None, None, None, None, None]


async def test_an_opening_of_the_overview_is_told_once_however_often_it_is_loaded(
    platform_url: str, publisher: MemoryPublisher
) -> None:
    async with platform(settings(platform_url), publisher) as service:
        guest = await Guest.enter(service)
        await guest.begin()
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        for opening in (first, first, second, first, second):
            assert (await guest.review(opening=opening)).status_code == httpx.codes.OK
        assert (await guest.review(opening="mine")).status_code == httpx.codes.BAD_REQUEST
    assert counted(publisher.envelopes, guest.session)["REVIEW_OPENED"] == 2


async def test_the_result_is_opened_once_by_whatever_tabs_and_processes(
    platform_url: str, publisher: MemoryPublisher
) -> None:
    given = settings(platform_url)
    async with platform(given, publisher) as one, platform(given, other := MemoryPublisher()) as two:
        guest = await Guest.enter(one)
        await guest.begin()
        await guest.review(opening=str(uuid.uuid4()))
        await guest.submit()
        twin = Guest(browser(two, cookies=guest.client.cookies), guest.user, guest.session)
        await asyncio.gather(*(it.review(opening=str(uuid.uuid4())) for _ in range(5) for it in (guest, twin)))
        await guest.review()
    assert counted(publisher.envelopes + other.envelopes, guest.session)["REVIEW_OPENED"] == 2


async def test_the_openings_of_a_session_are_bounded(
    platform_url: str, publisher: MemoryPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_OPENINGS", 2)
    async with platform(settings(platform_url), publisher) as service:
        guest = await Guest.enter(service)
        await guest.begin()
        for _ in range(4):
            assert (await guest.review(opening=str(uuid.uuid4()))).status_code == httpx.codes.OK
    assert counted(publisher.envelopes, guest.session)["REVIEW_OPENED"] == 2


async def test_events_are_of_the_documented_shape_and_hold_no_text(
    platform_url: str, owner_url: str, publisher: MemoryPublisher
) -> None:
    name = "Ada Lovelace"
    async with platform(settings(platform_url), publisher) as service:
        for ending in ("submit", "expire"):
            guest = await Guest.enter(service, name)
            await guest.begin()
            await guest.answer(1, choice=0, marked=True)
            await guest.answer(1, choice=1)
            await guest.review()
            if ending == "expire":
                let_expire(owner_url, guest.session)
            await guest.submit()
    seen = {it.event_type for it in publisher.envelopes}
    assert seen == set(PAYLOAD_EXAMPLES) - {
        "QUESTION_VIEWED",
        "NAVIGATE_NEXT",
        "NAVIGATE_PREV",
        "NAVIGATE_JUMP",
        "PAUSE_BLUR",
    }
    for it in publisher.envelopes:
        assert decode(encode(it)) == it
        payload = json.loads(it.payload_json)
        example = PAYLOAD_EXAMPLES[it.event_type]
        assert {key: type(value) for key, value in payload.items()} == {
            key: type(value) for key, value in example.items()
        }
    everything = b"".join(map(encode, publisher.envelopes)).decode()
    texts = [name, TITLE, *(text for it in QUESTIONS for text in (it.text, *it.choices) if not text.isdecimal())]
    assert [text for text in texts if text in everything] == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"choice": None},
        {"choice": -1},
        {"choice": 4},
        {"choice": 10**20},
        {"choice": True},
        {"choice": "1"},
        {"choice": 1.0},
        {"marked": 1},
        {"marked": "true"},
        {"choice": 1, "state": "submitted"},
        {"choice": 1, "question_id": str(EXAM_ID)},
        {"choice": 1, "question_id": "3"},
    ],
    ids=json.dumps,
)
async def test_an_answer_that_makes_no_sense_changes_nothing(
    platform_url: str, publisher: MemoryPublisher, change: dict[str, Any]
) -> None:
    async with platform(settings(platform_url), publisher) as service:
        guest = await Guest.enter(service)
        await guest.begin()
        before = (await guest.read()).json()["questions"]
        assert problem(await guest.answer(1, **change)) == (400, "bad_request")
        assert (await guest.read()).json()["questions"] == before
    assert counted(publisher.envelopes, guest.session) == {"SESSION_CREATED": 1}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 5000, b'{"name": "\\ud800"}', b'{"name": NaN}'],
    ids=["empty", "cut", "list", "text", "no_utf8", "deep", "surrogate", "nan"],
)
async def test_a_body_that_cannot_be_read_is_refused(service: httpx.AsyncBaseTransport, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert problem(await browser(service).post("/v1/login", content=body, headers=headers)) == (400, "bad_request")


async def test_a_body_that_is_too_long_is_refused(service: httpx.AsyncBaseTransport) -> None:
    reply = await browser(service).post("/v1/login", json={"name": "x" * 10_000})
    assert reply.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE


async def test_concurrent_answers_to_a_question_make_one_chain(platform_url: str, publisher: MemoryPublisher) -> None:
    async with platform(settings(platform_url), publisher) as service:
        guest = await Guest.enter(service)
        await guest.begin()
        await asyncio.gather(*(guest.answer(1, choice=number % 4) for number in range(24)))
        kept = (await guest.read()).json()["questions"][0]["choice"]
    events = told(publisher.envelopes, guest.session)[1:]
    assert [kind for kind, _ in events] == ["ANSWER_SELECTED"] + ["ANSWER_CHANGED"] * (len(events) - 1)
    choices = [payload["choice"] for _, payload in events]
    assert [payload["prev_choice"] for _, payload in events[1:]] == choices[:-1]
    assert choices[-1] == kept


async def test_concurrent_marks_are_toggled_once(platform_url: str, publisher: MemoryPublisher) -> None:
    async with platform(settings(platform_url), publisher) as service:
        guest = await Guest.enter(service)
        await guest.begin()
        await asyncio.gather(*(guest.answer(1, marked=True) for _ in range(12)))
    assert counted(publisher.envelopes, guest.session)["MARK_FOR_REVIEW_TOGGLED"] == 1


async def test_handing_in_again_is_answered_the_same_and_is_no_second_event(
    platform_url: str, publisher: MemoryPublisher
) -> None:
    async with platform(settings(platform_url), publisher) as service:
        guest = await Guest.enter(service)
        await guest.begin()
        await guest.answer(1, choice=1)
        replies = await asyncio.gather(*(guest.submit() for _ in range(12)))
        assert problem(await guest.answer(1, choice=2)) == (409, "session_submitted")
        assert (await guest.read()).json()["state"] == "submitted"
    assert [reply.json() for reply in replies] == [{"state": "submitted", "answered": 1}] * 12
    assert counted(publisher.envelopes, guest.session)["SESSION_SUBMITTED"] == 1


async def test_a_session_expires_by_the_first_touch_and_can_still_be_looked_at(
    platform_url: str, owner_url: str, publisher: MemoryPublisher
) -> None:
    async with platform(settings(platform_url), publisher) as service:
        guest = await Guest.enter(service)
        await guest.begin()
        await guest.answer(1, choice=1)
        let_expire(owner_url, guest.session)
        assert problem(await guest.submit()) == (409, "session_expired")
        assert problem(await guest.answer(1, choice=2)) == (409, "session_expired")
        assert (await guest.read()).json()["state"] == "expired"
        review = (await guest.review()).json()
    assert (review["state"], review["score"], review["answered"]) == ("expired", 1, 1)
    events = told(publisher.envelopes, guest.session)
    assert events[2:] == [("SESSION_EXPIRED", {"answered": 1}), ("REVIEW_OPENED", {"marked": 0})]


async def test_a_session_expires_once_however_many_requests_touch_it_in_however_many_processes(
    platform_url: str, owner_url: str, publisher: MemoryPublisher
) -> None:
    given = settings(platform_url)
    async with platform(given, publisher) as one, platform(given, other := MemoryPublisher()) as two:
        guest = await Guest.enter(one)
        await guest.begin()
        twin = Guest(browser(two, cookies=guest.client.cookies), guest.user, guest.session)
        let_expire(owner_url, guest.session)
        both = (guest, twin)
        await asyncio.gather(
            *(
                touch
                for _ in range(5)
                for it in both
                for touch in (it.read(), it.answer(1, choice=0), it.submit(), it.review())
            )
        )
    counts = counted(publisher.envelopes + other.envelopes, guest.session)
    assert counts == {"SESSION_CREATED": 1, "SESSION_EXPIRED": 1, "REVIEW_OPENED": 1}


async def test_a_session_is_either_handed_in_or_expired(
    platform_url: str, owner_url: str, publisher: MemoryPublisher
) -> None:
    async def is_over(guest: Guest) -> str:
        while (state := (await guest.read()).json()["state"]) == "open":
            pass
        return str(state)

    endings = {}
    given = settings(platform_url)
    async with platform(given, publisher) as one, platform(given, other := MemoryPublisher()) as two:
        guest = await Guest.enter(one)
        for number in range(12):
            await guest.begin()
            twin = Guest(browser(two, cookies=guest.client.cookies), guest.user, guest.session)
            let_expire(owner_url, guest.session, in_ms=4 * number)
            handed_in, *states = await asyncio.gather(guest.submit(), is_over(twin), is_over(guest))
            endings[guest.session] = "SESSION_SUBMITTED" if handed_in.is_success else "SESSION_EXPIRED"
            assert set(states) == {"submitted" if handed_in.is_success else "expired"}
    for session, ending in endings.items():
        assert counted(publisher.envelopes + other.envelopes, session) == {"SESSION_CREATED": 1, ending: 1}


async def test_the_events_that_have_arrived_are_shown_newest_first(
    platform_url: str, owner_url: str, publisher: MemoryPublisher
) -> None:
    async with platform(settings(platform_url), publisher) as service:
        guest = await Guest.enter(service)
        await guest.begin()
        await guest.answer(1, choice=1)
        assert (await guest.events()).json() == {"total": 0, "events": []}
    async with Store(owner_url, "attempt-events.v1") as store:
        await store.write(decode_batch(Partition().records(*publisher.envelopes)))
    insert = """
        INSERT INTO attempt_events (id, event_version, event_type, event_ts, source,
            seq, session_id, user_id, stream_id)
        VALUES (gen_random_uuid(), 1, 'PAUSE_BLUR', now() - interval '250 ms', 'web', %s, %s, %s, %s)
        RETURNING id
    """
    query(owner_url, insert, 80, guest.session, guest.user, str(uuid.uuid4()))
    for seq in range(1, 60):
        query(owner_url, insert, seq, guest.session, guest.user, None)
    async with platform(settings(platform_url), MemoryPublisher()) as service:
        again = Guest(browser(service, cookies=guest.client.cookies), guest.user, guest.session)
        shown = (await again.events()).json()
    assert (shown["total"], len(shown["events"])) == (62, 50)
    assert [it["seq"] for it in shown["events"]] == list(range(59, 9, -1))
    newest = shown["events"][0]
    assert newest.keys() == {
        "id",
        "seq",
        "event_type",
        "question_id",
        "event_ts",
        "client_ts",
        "source",
        "payload",
        "stored_after_ms",
    }
    assert (newest["event_type"], newest["source"], newest["stored_after_ms"]) == ("PAUSE_BLUR", "web", 250)


async def test_the_rights_are_the_least(platform_url: str) -> None:
    forbidden = [
        "UPDATE attempt_events SET seq = 1",
        "INSERT INTO attempt_events SELECT * FROM attempt_events",
        "SELECT * FROM dead_letters",
        "DELETE FROM test_sessions",
        "UPDATE exam_platform.questions SET correct = 0",
        "UPDATE exam_platform.attempts SET expires_at = now()",
        "DELETE FROM exam_platform.answers",
        "CREATE TABLE exam_platform.mine ()",
    ]
    with psycopg.connect(platform_url, autocommit=True) as connection:
        for statement in forbidden:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_preparing_twice_changes_nothing(database_url: str) -> None:
    prepare(database_url)
    once = query(database_url, EXAM_AS_PREPARED)
    prepare(database_url)
    assert query(database_url, EXAM_AS_PREPARED) == once
    assert len(once) == ITEMS


async def test_without_postgresql_it_starts_and_asks_for_patience() -> None:
    given = settings("postgresql://nobody@127.0.0.1:1/nothing")
    async with platform(given, MemoryPublisher()) as service, browser(service) as client:
        reply = await client.post("/v1/login", json={"name": "Ada"})
        assert problem(reply) == (503, "unavailable")
        assert reply.headers["retry-after"] == "1"
        assert (await client.get("/healthz")).status_code == httpx.codes.OK
        assert (await client.get("/readyz")).status_code == httpx.codes.SERVICE_UNAVAILABLE


async def test_health_readiness_and_the_event_loggers_metrics_are_served(service: httpx.AsyncBaseTransport) -> None:
    async with browser(service) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"database": True}
        assert "attemptlog_logger_events_logged_total 0.0" in (await client.get("/metrics")).text


async def test_a_page_says_what_to_do_while_the_player_is_not_built(platform_url: str, tmp_path: Path) -> None:
    async with platform(settings(platform_url), MemoryPublisher(), player=tmp_path / "dist") as service:
        reply = await browser(service).get("/")
        assert reply.status_code == httpx.codes.OK
        assert "make player" in reply.text


@pytest.fixture
def player(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Player</title>")
    (tmp_path / "assets" / "index-abc123.js").write_text("export {}")
    return tmp_path


async def test_pages_are_served_with_what_they_may_load(platform_url: str, player: Path) -> None:
    given = settings(platform_url, telemetry_url="https://telemetry.example:8443/v1/telemetry/events")
    async with platform(given, MemoryPublisher(), player=player) as service, browser(service) as client:
        page, script = await client.get("/"), await client.get("/assets/index-abc123.js")
        assert "Player" in page.text
        assert page.headers["cache-control"] == "no-cache"
        assert "immutable" in script.headers["cache-control"]
        assert (await client.get("/v1/config")).headers["cache-control"] == "no-store"
        policy = page.headers["content-security-policy"].split("; ")
        assert "default-src 'self'" in policy
        assert "connect-src 'self' https://telemetry.example:8443" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert problem(await client.get("/nothing")) == (404, "not_found")
        assert problem(await client.get("/v1/nothing")) == (404, "not_found")
        assert problem(await client.get("/..%2f..%2fpyproject.toml")) == (404, "not_found")
        assert problem(await client.post("/")) == (405, "method_not_allowed")


async def test_a_page_under_another_host_name_is_sent_to_the_one_that_the_cookie_belongs_to(
    platform_url: str, player: Path
) -> None:
    async with platform(settings(platform_url), MemoryPublisher(), player=player) as service:
        reply = await browser(service).get("http://localhost:8080/?a=b")
        assert (reply.status_code, reply.headers["location"]) == (307, f"{ORIGIN}/?a=b")
        assert (await browser(service).get("http://localhost:8080/healthz")).status_code == httpx.codes.OK
        assert (await browser(service).get("http://localhost:8080/v1/config")).status_code == httpx.codes.OK
