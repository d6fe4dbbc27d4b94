"""POST /v1/telemetry/events as its callers see it: a real gateway process on a real Kafka and a real PostgreSQL."""

import gzip
import json
import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from attemptlog.ingest_api.openapi import EXAMPLES
from tests.support.eventually import PATIENCE
from tests.support.http import PATH, Caller, Exam, gateway, insert_exam, token

OTHER_KEY = "another secret that is long enough too"


@pytest.fixture(scope="module")
def url(kafka_bootstrap: str, database: str, module_topic: str) -> Iterator[str]:
    with gateway(
        kafka_bootstrap,
        database,
        module_topic,
        cors_origins="https://exam.example",
        rate_limit_events_per_second="0.1",
        rate_limit_burst="5000",
        body_deadline="3",
    ) as address:
        yield address


def counts(reply: httpx.Response) -> tuple[int, int, int]:
    body = reply.json()
    return reply.status_code, body["accepted"], body["rejected"]


def codes(reply: httpx.Response) -> list[str]:
    return [it["code"] for it in reply.json()["rejected_reasons_sample"]]


def is_problem(reply: httpx.Response, status: int) -> bool:
    return (
        reply.status_code == status
        and reply.headers["content-type"] == "application/problem+json"
        and reply.json()["status"] == status
        and bool(reply.json()["detail"])
    )


def test_events_of_the_callers_own_session_are_accepted(caller: Caller, exam: Exam) -> None:
    reply = caller.post_events(exam.event(seq=1), exam.event(seq=2))
    assert reply.status_code == 202
    assert reply.json() == {"accepted": 2, "rejected": 0, "rejected_reasons_sample": []}


def test_fifty_events_are_a_batch_and_fifty_one_are_not(caller: Caller, exam: Exam) -> None:
    assert counts(caller.post_events(*[exam.event(seq=seq) for seq in range(50)])) == (202, 50, 0)
    assert is_problem(caller.post_events(*[exam.event(seq=seq) for seq in range(51)]), 400)


def test_a_bad_event_is_refused_with_its_index_and_its_neighbours_are_accepted(caller: Caller, exam: Exam) -> None:
    reply = caller.post_events(exam.event(), exam.event(seq=True), exam.event(event_type="LOGIN"), exam.event(seq=3))
    assert counts(reply) == (202, 2, 2)
    reasons = reply.json()["rejected_reasons_sample"]
    assert [(it["index"], it["code"]) for it in reasons] == [(1, "invalid_field"), (2, "unknown_event_type")]
    assert all(it["message"] for it in reasons)


def test_at_most_five_reasons_are_given_and_all_are_counted(caller: Caller, exam: Exam) -> None:
    reply = caller.post_events(*[exam.event(seq=-1)] * 8, exam.event())
    assert counts(reply) == (202, 1, 8)
    assert len(codes(reply)) == 5


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"payload": {"a": "\0"}}, "invalid_field"),
        ({"payload": {"a": "\ud800"}}, "invalid_field"),
        ({"payload": {"\udc00": 1}}, "invalid_field"),
        ({"payload": {"a": "é" * 2044 + "x"}}, "payload_too_large"),
        ({"payload": {"a": 2**64}}, "invalid_field"),
        ({"payload": "text"}, "invalid_field"),
        ({"seq": True}, "invalid_field"),
        ({"seq": "12"}, "invalid_field"),
        ({"seq": 1.0}, "invalid_field"),
        ({"seq": -1}, "invalid_field"),
        ({"seq": 2**31}, "invalid_field"),
        ({"client_ts": 1_772_442_845}, "invalid_field"),
        ({"client_ts": "2026-03-02T09:14:05"}, "invalid_field"),
        ({"client_ts": "1772442845"}, "invalid_field"),
        ({"event_type": "LOGIN"}, "unknown_event_type"),
        ({"session_id": "1"}, "invalid_field"),
        ({"question_id": "1"}, "invalid_field"),
        ({"user_id": str(uuid.uuid4())}, "invalid_field"),
        ({"sequence": 1}, "invalid_field"),
    ],
)
def test_an_event_that_could_not_be_stored_as_it_is_is_refused(
    caller: Caller, exam: Exam, fields: dict[str, Any], code: str
) -> None:
    reply = caller.post_events(exam.event(**fields))
    assert is_problem(reply, 400)
    assert counts(reply) == (400, 0, 1)
    assert codes(reply) == [code]


@pytest.mark.parametrize(
    "fields",
    [
        {"payload": {"a": "é" * 2044}},
        {"payload": {"a": "\\u0000"}},
        {"payload": {}},
        {"payload": {"a": None, "b": [1.5, {"c": "NaN"}]}},
        {"seq": None, "client_ts": None},
        {"seq": 0},
        {"seq": 2**31 - 1},
        {"client_ts": "1970-01-01T00:00:00+14:00"},
    ],
)
def test_an_event_at_the_edge_of_what_is_legal_is_accepted(caller: Caller, exam: Exam, fields: dict[str, Any]) -> None:
    assert counts(caller.post_events(exam.event(**fields))) == (202, 1, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b'{"events": []}',
        b'{"events": [{"seq": NaN}]}',
        b'{"events": [{"payload": {"a": Infinity}}]}',
        b'{"events": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"events": [{}], "user_id": "me"}',
    ],
)
def test_what_is_no_batch_is_refused_with_a_sentence(caller: Caller, body: bytes) -> None:
    assert is_problem(caller.post(body), 400)


def test_of_equal_keys_the_last_one_counts(caller: Caller, exam: Exam) -> None:
    event = json.dumps(exam.event(seq=5))
    doubled = f'{{"events": [{event[:-1]}, "seq": -1}}]}}'.encode()
    assert codes(caller.post(doubled)) == ["invalid_field"]


def test_deep_nesting_fails_its_own_event_only(caller: Caller, exam: Exam) -> None:
    nested = "[" * 400 + "]" * 400
    body = json.dumps({"events": [exam.event(payload={"a": "deep"}), exam.event()]}).replace('"deep"', nested)
    assert counts(caller.post(body.encode())) == (202, 1, 1)


def test_a_gzip_body_is_inflated(caller: Caller, exam: Exam) -> None:
    body = gzip.compress(json.dumps({"events": [exam.event()]}).encode())
    assert counts(caller.post(body, {"content-encoding": "gzip"})) == (202, 1, 0)


def test_a_gzip_bomb_is_refused_before_it_is_inflated(caller: Caller) -> None:
    assert is_problem(caller.post(gzip.compress(b" " * 100_000_000), {"content-encoding": "gzip"}), 413)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"{}", "gzip"),
        (gzip.compress(b"{}")[:-4], "gzip"),
        (gzip.compress(b"{}") * 2, "gzip"),
        (b"{}", "br"),
    ],
    ids=["not gzip", "cut", "two members", "brotli"],
)
def test_a_body_that_is_not_encoded_as_it_says_is_refused(caller: Caller, body: bytes, encoding: str) -> None:
    assert is_problem(caller.post(body, {"content-encoding": encoding}), 400)


def test_a_body_over_the_limit_is_refused(caller: Caller) -> None:
    assert is_problem(caller.post(b" " * (320 * 1024 + 1)), 413)


def test_a_body_that_does_not_arrive_is_not_waited_for(url: str, caller: Caller) -> None:
    address = httpx.URL(url)
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n"
    head += f"authorization: Bearer {token(caller.user)}\r\n\r\n"
    with socket.create_connection((address.host, address.port or 80), timeout=PATIENCE) as connection:
        connection.sendall(head.encode() + b'{"events": [')
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


def bearer(value: str) -> dict[str, str]:
    return {"authorization": f"Bearer {value}"}


@pytest.mark.parametrize(
    "make",
    [
        lambda user: token(user, None, algorithm="none"),
        lambda user: token(user, OTHER_KEY),
        lambda user: token(user, exp=time.time() - 1),
        lambda user: token(user, nbf=time.time() + 60),
        lambda user: token(user, exp=None),
        lambda user: token(user, sub=None),
        lambda user: token(user, aud="somebody else"),
        lambda user: token(user, algorithm="HS512"),
        lambda user: token(user)[:-2] + "xx",
        lambda user: token(user, more="x" * 7 * 1024),
        lambda _: token("no uuid"),
        lambda _: "x",
    ],
    ids=["none", "key", "expired", "early", "no exp", "no sub", "aud", "alg", "cut", "9 KiB", "sub", "x"],
)
def test_a_token_that_is_not_ours_and_valid_now_is_refused(caller: Caller, exam: Exam, make: Any) -> None:
    reply = caller.post({"events": [exam.event()]}, bearer(make(exam.user)))
    assert is_problem(reply, 401)
    assert reply.headers["www-authenticate"] == "Bearer"


def test_without_a_token_nothing_is_read(url: str) -> None:
    assert is_problem(httpx.post(f"{url}{PATH}", content=b"x"), 401)


def test_a_token_in_the_cookie_counts_with_a_json_body_only(url: str, exam: Exam) -> None:
    body = json.dumps({"events": [exam.event()]}).encode()
    with httpx.Client(base_url=url, cookies={"access_token": token(exam.user)}) as browser:
        assert browser.post(PATH, content=body, headers={"content-type": "application/json"}).status_code == 202
        assert is_problem(browser.post(PATH, content=body, headers={"content-type": "text/plain"}), 401)


def test_another_users_session_and_an_unknown_one_are_refused_alike(caller: Caller, exam: Exam, database: str) -> None:
    theirs = insert_exam(database)
    answers = [
        caller.post_events(exam.event(session_id=session, question_id=None))
        for session in (theirs.session, str(uuid.uuid4()))
    ]
    assert all(is_problem(it, 403) for it in answers)
    assert codes(answers[0]) == ["session_not_owned"]
    theirs_headers, unknown_headers = ({**it.headers, "date": "any"} for it in answers)
    assert (answers[0].content, theirs_headers) == (answers[1].content, unknown_headers)


def test_a_question_of_another_exam_is_refused(caller: Caller, exam: Exam, database: str) -> None:
    theirs = insert_exam(database)
    reply = caller.post_events(exam.event(question_id=theirs.question))
    assert is_problem(reply, 403)
    assert codes(reply) == ["question_not_in_session"]


def test_a_refusal_for_ownership_outweighs_an_invalid_event(caller: Caller, exam: Exam) -> None:
    reply = caller.post_events(exam.event(seq=-1), exam.event(session_id=str(uuid.uuid4())))
    assert counts(reply) == (403, 0, 2)


def test_over_the_callers_rate_the_answer_is_429_with_retry_after(url: str, database: str) -> None:
    exam = insert_exam(database)
    busy = Caller(url, exam.user)
    with busy.client:
        replies = [busy.post_events(*[exam.event(seq=seq) for seq in range(50)]) for _ in range(101)]
    assert [it.status_code for it in replies[:100]] == [202] * 100
    assert is_problem(replies[100], 429)
    assert 1 <= int(replies[100].headers["retry-after"]) <= 500


def test_a_page_of_an_allowed_origin_may_send_and_another_may_not(url: str) -> None:
    def preflight(origin: str) -> httpx.Headers:
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
        return httpx.options(f"{url}{PATH}", headers={"origin": origin} | asked).headers

    allowed = preflight("https://exam.example")
    assert allowed["access-control-allow-origin"] == "https://exam.example"
    assert allowed["access-control-allow-credentials"] == "true"
    for origin in (
        "https://elsewhere.example",
        "https://exam.example.elsewhere.example",
        "http://exam.example",
        "null",
    ):
        assert "access-control-allow-origin" not in preflight(origin)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_a_request_that_a_foreign_page_can_send_without_a_preflight_gets_nowhere_with_a_cookie(
    url: str, exam: Exam, content_type: str | None
) -> None:
    headers = {"origin": "https://elsewhere.example", "cookie": f"access_token={token(exam.user)}"}
    headers |= {"content-type": content_type} if content_type else {}
    body = json.dumps({"events": [exam.event()]}).encode()
    reply = httpx.post(f"{url}{PATH}", content=body, headers=headers)
    assert is_problem(reply, 401)
    assert "access-control-allow-origin" not in reply.headers


def test_health_readiness_and_metrics_are_served(url: str, caller: Caller, exam: Exam) -> None:
    assert httpx.get(f"{url}/healthz").status_code == 200
    assert httpx.get(f"{url}/readyz").json() == {"kafka": True, "sessions": True}
    caller.post_events(exam.event(), exam.event(seq=-1))
    metrics = httpx.get(f"{url}/metrics").text
    assert 'attemptlog_ingest_requests_total{status="202"}' in metrics
    assert 'attemptlog_ingest_events_rejected_total{code="invalid_field"}' in metrics


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz/", 200), ("/metrics", 200), ("/x", 404)])
def test_head_is_answered_as_get_without_a_body(url: str, path: str, status: int) -> None:
    with httpx.Client(base_url=url) as client:
        for _ in range(2):  # what came too much would be read as the next answer
            answer = client.head(path)
            assert (answer.status_code, answer.content) == (status, b"")
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.head(PATH).headers["allow"] == "OPTIONS, POST"


def test_what_is_not_served_is_answered_as_a_problem_and_never_by_a_redirect(url: str, caller: Caller) -> None:
    assert is_problem(httpx.get(f"{url}/v1/"), 404)
    assert is_problem(httpx.get(f"{url}{PATH}"), 405)
    assert is_problem(httpx.post(f"{url}/healthz/"), 405)
    assert httpx.options(f"{url}{PATH}").status_code == 204
    assert is_problem(caller.client.post(f"{PATH}/", content=b"{}", headers=bearer(token(caller.user))), 400)


def test_a_cookie_in_a_second_line_counts(url: str, exam: Exam) -> None:
    body = json.dumps({"events": [exam.event()]}).encode()
    lines = [("content-type", "application/json"), ("cookie", f'access_token="{token(exam.user)}"'), ("cookie", "a=b")]
    for headers in (lines, lines[::-1]):
        assert httpx.post(f"{url}{PATH}", content=body, headers=headers).status_code == 202


def test_the_openapi_document_has_examples_that_are_batches(url: str) -> None:
    operation = httpx.get(f"{url}/openapi.json").json()["paths"][PATH]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert [it["value"] for it in examples.values()] == list(EXAMPLES.values())
    assert set(operation["responses"]) >= {"202", "400", "401", "403", "413", "429", "503"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_openapi_document_is_accepted(caller: Caller, exam: Exam, name: str) -> None:
    example = json.dumps(EXAMPLES[name])
    for event in EXAMPLES[name]["events"]:
        example = example.replace(event["session_id"], exam.session)
        example = example.replace(event.get("question_id") or "-none-", exam.question)
    assert counts(caller.post(example.encode()))[::2] == (202, 0)
