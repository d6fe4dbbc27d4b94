"""What is read quickly is what the contract's models read: bodies made up of usual and odd pieces, each read twice."""

from datetime import UTC, datetime
from random import Random

import pytest

from attemptlog.ingest_api import by_contract, quick
from attemptlog.ingest_api.batch import Batch, Event, Refused
from attemptlog.ingest_api.problems import BadBody
from tests.support.bodies import BODIES, UUID, body_of


def read_by_contract(body: bytes) -> Batch | None:
    try:
        return by_contract.read(body)
    except BadBody:
        return None


def as_data(batch: Batch) -> list[object]:
    events = [
        (it.event_type, it.session_id, it.client_ts, it.seq, it.question_id, it.payload)
        if isinstance(it, Event)
        else it
        for it in batch.events
    ]
    return [batch.source, batch.stream_id, batch.sent_at, batch.dropped, events]


def test_what_is_read_quickly_is_what_the_contract_reads() -> None:
    random = Random("bodies")  # noqa: S311
    read = refused = 0
    for number in range(BODIES):
        body = body_of(random)
        batch = quick.read(body)
        if batch is None:
            continue
        expected = read_by_contract(body)
        assert expected is not None, (number, body)
        assert as_data(batch) == as_data(expected), (number, body)
        read += 1
        refused += any(isinstance(it, Refused) for it in batch.events)
    assert read > BODIES / 4, "it compares nothing"
    assert refused > BODIES / 40


def batch_of(**fields: str) -> bytes:
    event = {"event_type": '"PAUSE_BLUR"', "session_id": f'"{UUID}"'} | fields
    return ('{"events":[{' + ",".join(f'"{name}":{value}' for name, value in event.items()) + "}]}").encode()


@pytest.mark.parametrize("moment", ["2026-01-12T09:04:27.395Z", "2026-01-12T09:04:27.395000+00:00"])
def test_what_pages_and_services_send_is_read_quickly(moment: str) -> None:
    body = batch_of(
        client_ts=f'"{moment}"', seq="7", question_id=f'"{UUID.upper()}"', payload='{"pos": 3, "a": "null"}'
    )
    batch = quick.read(body)
    assert batch is not None
    [event] = batch.events
    assert isinstance(event, Event)
    assert (event.seq, event.question_id, event.payload) == (7, UUID, b'{"pos":3,"a":"null"}')
    assert event.client_ts == datetime(2026, 1, 12, 9, 4, 27, 395_000, UTC)


def test_one_event_that_is_not_plain_leaves_the_others_where_they_are() -> None:
    good = batch_of().decode()[11:-2]
    odd = good.replace(UUID, UUID[:-1])
    zoned = good[:-1] + ',"client_ts":"2026-01-12T10:04:27+01:00"}'
    batch = quick.read(f'{{"events":[{good},{odd},{zoned},{good}]}}'.encode())
    assert batch is not None
    first, second, third, fourth = batch.events
    assert isinstance(second, Refused)
    assert (second.rejection.index, second.rejection.code) == (1, "invalid_field")
    assert isinstance(third, Event)
    assert third.client_ts == datetime(2026, 1, 12, 9, 4, 27, tzinfo=UTC)
    assert isinstance(first, Event)
    assert isinstance(fourth, Event)


def test_a_payload_deeper_than_the_consumers_parser_takes_is_left_to_the_models() -> None:
    for depth in (50, 150, 199, 240):
        body = batch_of(payload='{"a":' + "[" * depth + "]" * depth + "}")
        batch = quick.read(body)
        assert batch is None or as_data(batch) == as_data(by_contract.read(body))
