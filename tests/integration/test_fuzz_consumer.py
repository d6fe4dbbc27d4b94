"""The consumer on a topic that anybody writes anything to: it never stops, and each record is accounted for."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import given
from hypothesis import strategies as st

from attemptlog.schemas import EVENT_TYPES, Undecodable, decode
from tests.support import fuzz
from tests.support.consumer import ConsumerProcess, consumer, dead_letters, ledger, query, stored_ids
from tests.support.eventually import eventually
from tests.support.http import insert_exam
from tests.support.property_tests import examples

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

CODECS = [None, "gzip", "snappy", "lz4", "zstd"]
LARGEST = 1_000_000  # bytes; brokers take 1 MiB with key, headers and all

ENVELOPE: dict[str, fuzz.Text] = {
    "id": st.just('"@id@"'),
    "event_version": st.just("1"),
    "event_type": st.sampled_from([f'"{it}"' for it in EVENT_TYPES]),
    "event_ts": fuzz.valid_times | fuzz.any_of({'"0002-01-01T00:00:00Z"', '"9998-12-31T23:59:59.999999+15:59"'}),
    "client_ts": fuzz.valid_times | st.just("null"),
    "seq": st.sampled_from(["@seq@", "null"]),
    "session_id": st.just('"@session@"'),
    "user_id": st.just('"@user@"'),
    "question_id": st.sampled_from(['"@question@"', "null"]),
    "source": fuzz.any_of({'"web"', '"mobile"', '"api"', "null"}),
    "payload_json": fuzz.valid_payloads,
    "stream_id": st.sampled_from(['"@one id@"', "null"]),
    "sent_at": fuzz.valid_times | st.just("null"),
    "dropped": fuzz.any_of({"null", "{}", '{"invalid":1,"closed":2147483647}'}),
}
CLASHES: dict[str, fuzz.Text] = ENVELOPE | {
    "id": st.sampled_from(['"@id@"', '"@one id@"']),
    "seq": st.sampled_from(["1", "2", "null"]),
    "session_id": st.sampled_from(['"@session@"', '"@their session@"', '"@id@"']),
    "user_id": st.sampled_from(['"@user@"', '"@their user@"', '"@id@"']),
    "question_id": st.sampled_from(['"@question@"', '"@their question@"', '"@id@"', "null"]),
}

valid = st.fixed_dictionaries(ENVELOPE).map(fuzz.json_object)
clashing = st.fixed_dictionaries(CLASHES).map(fuzz.json_object)
nearly_valid = fuzz.nearly(ENVELOPE, fuzz.odd | fuzz.any_of({"0", "2", "true", "1.0", '"1"'}))
huge = st.sampled_from(
    [
        b"x" * LARGEST,
        b"[" * LARGEST,
        b'"' + b"\\u0000" * (LARGEST // 6) + b'"',
        b'{"' + b"a" * (LARGEST - 10) + b'":1}',
        b'{"payload_json":{"a":"' + b"a" * (LARGEST - 50) + b'"}}',
        b"1" * LARGEST,
    ]
)


@dataclass(frozen=True)
class Wild:
    """A record that nobody should have written."""

    value: bytes | None
    key: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int | None
    codec: str | None


wild_records = st.builds(
    Wild,
    value=st.none()
    | st.binary(max_size=100)
    | fuzz.json_text.map(str.encode)
    | fuzz.damaged(valid)
    | (clashing | nearly_valid).map(str.encode)
    | (clashing | nearly_valid).map(str.encode)
    | huge,
    key=st.none() | st.sampled_from([b"@session@", b"@their session@", b"", b"\xff\xfe"]) | st.binary(max_size=40),
    headers=st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2)
    | st.sampled_from([[("content-type", b"\xff")], [("correlation_id", b"\xff")], [("x", b"y" * 20_000)]]),
    partition=st.none() | st.integers(0, 11),
    codec=st.sampled_from(CODECS),
).filter(lambda record: record.key is not None or record.value is not None)  # aiokafka sends no such record


@dataclass
class Written:
    """Writes to a topic and keeps what it wrote, by partition and offset."""

    topic: str
    producers: Mapping[str | None, AIOKafkaProducer]
    words: fuzz.Words
    digests: dict[tuple[int, int], tuple[str | None, str | None]] = field(default_factory=dict)
    undecodable: set[tuple[int, int]] = field(default_factory=set)
    must_be_stored: set[str] = field(default_factory=set)

    async def send(self, *records: Wild) -> None:
        await asyncio.gather(*map(self._send, records))

    async def send_valid(self, text: str) -> None:
        value = self.words.fill(text.encode())
        self.must_be_stored.add(decode(value).id)
        await self.send(Wild(value, b"@session@", [], None, None))

    async def _send(self, record: Wild) -> None:
        key, value = (None if it is None else self.words.fill(it) for it in (record.key, record.value))
        producer = self.producers[record.codec]
        sent = await producer.send_and_wait(self.topic, value, key, record.partition, headers=record.headers)
        self.digests[sent.partition, sent.offset] = digest(key), digest(value)
        try:
            decode(value)
        except Undecodable:
            self.undecodable.add((sent.partition, sent.offset))

    @property
    def ends(self) -> dict[int, int]:
        return {partition: offset + 1 for partition, offset in sorted(self.digests)}


def digest(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()


@pytest.fixture
async def producers(kafka_bootstrap: str) -> AsyncIterator[dict[str | None, AIOKafkaProducer]]:
    async with AsyncExitStack() as stack:
        yield {
            codec: await stack.enter_async_context(
                AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, compression_type=codec)
            )
            for codec in CODECS
        }


@pytest.fixture
def worker(kafka_bootstrap: str, database_url: str, topic: str) -> Iterator[ConsumerProcess]:
    with consumer(kafka_bootstrap, database_url, topic) as process:
        yield process


@pytest.fixture
def written(
    topic: str, database_url: str, producers: dict[str | None, AIOKafkaProducer], worker: ConsumerProcess
) -> Iterator[Written]:
    """Whatever a test wrote through it is accounted for in the end."""
    it = Written(topic, producers, fuzz.Words(insert_exam(database_url), insert_exam(database_url)))
    yield it
    assert column(database_url, "next_offset") == column(database_url, "records") == it.ends
    assert_accounted(database_url, it)


def column(database_url: str, name: str) -> dict[int, int]:
    return {partition: row[name] for partition, row in ledger(database_url).items()}


def assert_accounted(database_url: str, written: Written) -> None:
    reasons, stored = dead_letters(database_url), stored_ids(database_url)
    assert sum(column(database_url, "inserted").values()) == len(stored)
    assert Counter(column(database_url, "dead_lettered")) == Counter(partition for partition, _ in reasons)
    assert written.must_be_stored <= stored
    assert written.undecodable == {place for place, reason in reasons.items() if reason == "undecodable"}
    assert "rejected_by_database" not in reasons.values()
    kept = "SELECT partition, kafka_offset, encode(sha256(key), 'hex'), encode(sha256(value), 'hex') FROM dead_letters"
    for partition, offset, *digests in query(database_url, kept):
        assert written.digests[partition, offset] == tuple(digests)


@examples(60)
@given(wild=st.lists(wild_records, min_size=1, max_size=20), around=st.tuples(valid, valid))
async def test_whatever_is_in_the_topic_the_consumer_goes_on_and_accounts_for_it(
    written: Written, worker: ConsumerProcess, database_url: str, wild: list[Wild], around: tuple[str, str]
) -> None:
    await written.send_valid(around[0])
    await written.send(*wild)
    await written.send_valid(around[1])
    await eventually(lambda: column(database_url, "next_offset") == written.ends, interval=0.02)
    assert worker.process is not None
    assert worker.process.poll() is None
