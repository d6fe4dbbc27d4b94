"""What the console says of operations where nothing can be reached, and what is worked out without a server."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest

from attemptlog.console.contract import expected, faults
from attemptlog.console.gateways import MAX_METRICS_BYTES, rejected_by, shown
from attemptlog.console.kafka_look import MAX_PROBES, KafkaSight, _first_waiting
from attemptlog.console.lookout import Seen, Sight
from attemptlog.console.overview import overview
from attemptlog.console.settings import ConsoleSettings
from attemptlog.console.watch import Rejections, Watched
from attemptlog.event_store.operations import StoredSight
from attemptlog.ingest_api.metrics import Metrics as GatewayMetrics
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.topic_log import FoundLog
from attemptlog.schemas.events import EVENT_TYPES
from tests.support.console import bearer, client_of, console
from tests.support.http import JWT_SECRET

OPERATOR = bearer("0198c0de-0000-7000-8000-000000000001", "operator")
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
NOWHERE = "127.0.0.1:1"


# Everything is away


async def test_it_answers_with_everything_away_and_says_so_of_each() -> None:
    app = console(kafka_bootstrap_servers=NOWHERE, console_gateways=[f"http://user:password@{NOWHERE}"])
    async with client_of(app) as client:
        answer = await client.get("/api/operations", headers=OPERATOR)
    looked = answer.json()
    assert answer.status_code == 200
    for each in (looked["kafka"], looked["database"], *looked["gateways"]):
        assert (each["is_reached"], each["as_of"]) == (False, None)
        assert each["detail"]
    assert looked["gateways"][0]["url"] == f"http://{NOWHERE}"
    unknown = ("events_in_per_s", "events_stored_per_s", "last_event_at", "stored_late_by_s", "dead_letters")
    assert [looked[name] for name in unknown] == [None] * 5
    assert (looked["partitions"], looked["rejected"]) == ([], [])


async def test_a_console_without_kafka_says_which_setting_it_lacks() -> None:
    async with client_of(console()) as client:
        looked = (await client.get("/api/operations", headers=OPERATOR)).json()
    assert "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS" in looked["kafka"]["detail"]


@pytest.mark.parametrize(
    ("path", "body", "command"),
    [
        ("replays", {"ids": [17]}, "attemptlog dead-letters replay 17"),
        ("replays", {"ids": [17, 18], "apply": True}, "attemptlog dead-letters replay 17 18 --apply"),
        ("replays", {"ids": list(range(1, 8))}, "attemptlog dead-letters replay 1 2 3 4 5 …"),
        ("audit", {}, "attemptlog audit"),
    ],
)
async def test_a_console_that_may_not_says_which_command_does(path: str, body: Any, command: str) -> None:
    async with client_of(console()) as client:
        answer = await client.post(f"/api/operations/{path}", json=body, headers=OPERATOR)
    assert answer.status_code == 409
    assert answer.json()["detail"].endswith(f"run `{command}`")


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": [0]}, {"ids": ["x"]}, {"ids": [1], "apply": "no"}])
async def test_what_is_no_wish_for_a_replay_is_refused(body: Any) -> None:
    async with client_of(console()) as client:
        answer = await client.post("/api/operations/replays", json=body, headers=OPERATOR)
    assert answer.status_code == 422


@pytest.mark.parametrize("gateways", ["ftp://gateway", "gateway:8000", ",".join(["http://gateway"] * 33)])
def test_what_is_no_gateway_is_refused(gateways: str) -> None:
    given = {"database_url": "postgresql://x", "jwt_secret": JWT_SECRET, "console_gateways": gateways}
    with pytest.raises(ValueError, match="console_gateways"):
        ConsoleSettings.model_validate(given)


# The overview


def seen(value: Any, fault: str | None = None) -> Seen[Any]:
    return Seen(Sight(value, NOW, 0.0), None, fault)


def log(ends: Mapping[int, int], begins: Mapping[int, int]) -> FoundLog:
    return FoundLog("topic", None, None, dict.fromkeys(ends, 1), dict.fromkeys(ends, 0), begins, ends)


def stored(next_offsets: Mapping[int, int]) -> StoredSight:
    return StoredSight(next_offsets, sum(next_offsets.values()), NOW, 2, 1)


def test_lag_is_what_kafka_still_holds_and_the_ledger_does_not_have() -> None:
    sight = KafkaSight(log({0: 100, 1: 100, 2: 5}, {0: 0, 1: 80, 2: 0}), {0: "one at host"}, {0: 1_000})
    watched = Watched(seen(stored({0: 90, 2: 50})), seen(sight), [])
    found = overview(watched, "topic", datetime.fromtimestamp(61, UTC))
    assert [(it.lag, it.next_offset, it.consumer) for it in found.partitions] == [
        (10, 90, "one at host"),
        (20, None, None),
        (0, 50, None),
    ]
    assert found.stored_late_by_s == 60


def test_lateness_is_unknown_where_nobody_could_read_what_waits() -> None:
    sight = KafkaSight(log({0: 100}, {0: 0}))
    assert overview(Watched(seen(stored({0: 90})), seen(sight), []), "topic", NOW).stored_late_by_s is None
    assert overview(Watched(seen(stored({0: 100})), seen(sight), []), "topic", NOW).stored_late_by_s == 0
    lagging, away = KafkaSight(log({0: 100}, {0: 0}), {}, {0: 1_000}), "Kafka is away."
    assert overview(Watched(seen(stored({0: 90})), seen(lagging, away), []), "topic", NOW).stored_late_by_s is None
    never: Seen[StoredSight] = Seen(None, None, "PostgreSQL is away.")
    found = overview(Watched(never, seen(sight), []), "topic", NOW)
    assert (found.stored_late_by_s, found.partitions[0].lag, found.partitions[0].end) == (None, None, 100)


def test_rejections_of_several_gateways_are_one_sum() -> None:
    rated: Seen[Rejections] = Seen(Sight({"a": 30.0}, NOW, 10.0), Sight({"a": 10.0}, NOW, 0.0), None)
    away = seen({"a": 1.0, "b": 2.0}, "It is away.")
    never: Seen[Rejections] = Seen(None, None, "It is away.")
    watched = Watched(seen(stored({})), seen(KafkaSight(None)), [("1", rated), ("2", away), ("3", never)])
    found = overview(watched, "topic", NOW)
    assert [(it.code, it.events, it.per_s) for it in found.rejected] == [("a", 31, 2), ("b", 2, 0)]
    assert [it.is_reached for it in found.gateways] == [True, False, False]


def test_of_many_partitions_that_wait_those_are_asked_in_which_the_most_wait() -> None:
    ends = {partition: partition + 1 for partition in range(40)}
    found = _first_waiting(log(ends, dict.fromkeys(ends, 0)), {39: 40, 38: 20})
    assert found[:2] == [(37, 0), (36, 0)]
    assert len(found) == MAX_PROBES


# Gateways


def gateway(answer: httpx.Response) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer))


async def test_what_a_gateway_rejected_is_read_from_its_metrics() -> None:
    metrics = GatewayMetrics()
    metrics.rejected.labels("invalid_field").inc(3)
    async with gateway(httpx.Response(200, content=generate_latest(metrics.registry))) as client:
        found = await rejected_by(client, "http://gateway/")
    assert found == dict.fromkeys(found, 0) | {"invalid_field": 3}
    assert "session_not_owned" in found


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(404), "answers /metrics with 404"),
        (httpx.Response(302, headers={"location": "http://elsewhere/"}), "answers /metrics with 302"),
        (httpx.Response(200, content=b"up 1\n"), "other metrics than a gateway's"),
        (httpx.Response(200, content=b"<html>"), "other metrics than a gateway's"),
        (httpx.Response(200, content=b"\xff"), "other metrics than a gateway's"),
        (httpx.Response(200, content=b"#" * (MAX_METRICS_BYTES + 1)), "more than 1048576 bytes"),
    ],
)
async def test_what_is_no_gateway_is_told(answer: httpx.Response, said: str) -> None:
    async with gateway(answer) as client:
        with pytest.raises(OperatorError, match=said):
            await rejected_by(client, "http://gateway")


def test_an_address_is_shown_without_its_login() -> None:
    assert shown("https://user:password@gateway:8000/at?key=1#x") == "https://gateway:8000/at"


# What came, beside the contract

WHOLE = {
    "id": "string",
    "event_type": "string",
    "event_ts": "string",
    "session_id": "string",
    "user_id": "string",
    "payload_json": "object",
    "payload_json.pos": "integer",
}


def test_what_fits_the_contract_has_no_faults() -> None:
    assert faults(WHOLE, "QUESTION_VIEWED") == []
    assert faults(WHOLE | {"seq": "null", "source": "string", "event_version": "integer"}, "QUESTION_VIEWED") == []


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"seq": "string"}, ["seq"]),
        ({"seq": "number"}, ["seq"]),
        ({"user_id": "null"}, ["user_id"]),
        ({"event_version": "string"}, ["event_version"]),
        ({"colour": "string"}, ["colour"]),
        ({"payload_json.pos": "string"}, ["payload_json.pos"]),
        ({"payload_json.colour": "string"}, ["payload_json.colour"]),
        ({"payload_json": "array"}, ["payload_json"]),
    ],
)
def test_a_field_that_differs_is_named(changes: dict[str, str], wrong: list[str]) -> None:
    assert faults(WHOLE | changes, "QUESTION_VIEWED") == wrong


def test_a_field_of_the_right_type_whose_value_will_not_do_is_named_as_the_check_names_it() -> None:
    assert faults(WHOLE, "QUESTION_VIEWED", "event_ts: must be a date and time") == ["event_ts"]
    assert faults(WHOLE, "QUESTION_VIEWED", "Invalid JSON: expected value") == []


def test_a_field_that_lacks_is_named() -> None:
    lacking = {name: found for name, found in WHOLE.items() if name not in ("session_id", "payload_json.pos")}
    assert faults(lacking, "QUESTION_VIEWED") == ["session_id", "payload_json.pos"]


def test_of_a_payload_whose_type_nobody_knows_nothing_is_said() -> None:
    assert faults(WHOLE | {"payload_json.anything": "null"}, None) == []
    assert not [name for name in expected(None) if name.startswith("payload_json.")]


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_each_type_has_its_payload_in_words(event_type: str) -> None:
    words = {name: said for name, said in expected(event_type).items() if name.startswith("payload_json.")}
    assert words
    assert all("by convention" in said for said in words.values())
