"""Which logs are taken for the ledger's, and which are not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from aiokafka.errors import NotLeaderForPartitionError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from attemptlog.event_store.acceptance import starts
from attemptlog.event_store.comparison import Comparison
from attemptlog.event_store.identity import Entry, KnownLog, Ledger, differences, objections
from attemptlog.runtime.topic_log import Content, FoundLog, Mark, digest_of, record_at
from tests.support.consumer import FakeRecord

A, B = UUID(int=1), UUID(int=2)


def found_log(begin: int = 0, end: int = 10, topic_id: UUID | None = A, cluster_id: str = "c") -> FoundLog:
    return FoundLog("t", topic_id, cluster_id, {0: 1}, {0: 0}, {0: begin}, {0: end})


KNOWN = KnownLog(1, A, "c")
BEFORE_2_8 = KnownLog(1, None, "c")


@pytest.mark.parametrize(
    ("known", "ledger", "found"),
    [
        (KNOWN, {0: Entry(10)}, found_log()),
        (KNOWN, {0: Entry(5)}, found_log(begin=7)),
        (KNOWN, {7: Entry(5)}, found_log()),  # a broker that has not heard of the partition yet
        (KNOWN, {}, found_log(cluster_id="moved with its disks")),
        (None, {}, found_log()),
        (BEFORE_2_8, {}, found_log(topic_id=None)),
        (BEFORE_2_8, {}, found_log()),  # Kafka was upgraded
    ],
)
def test_a_log_that_reaches_the_ledger_under_the_same_id_is_the_same(
    known: KnownLog | None, ledger: Ledger, found: FoundLog
) -> None:
    assert list(differences(known, ledger, found)) == []


@pytest.mark.parametrize(
    ("known", "ledger", "found", "why"),
    [
        (KNOWN, {}, found_log(topic_id=B), "the topic was deleted and made anew"),
        (KNOWN, {}, found_log(topic_id=B, cluster_id="d"), "this is the Kafka cluster d, the ledger's is c"),
        (KNOWN, {0: Entry(11)}, found_log(), "partition 0 of t ends at 10, but the ledger is at 11"),
        (BEFORE_2_8, {}, found_log(topic_id=None, cluster_id="d"), "it is in the cluster d and the ledger's is in c"),
    ],
)
def test_another_id_or_an_end_before_the_ledgers_is_another_log(
    known: KnownLog, ledger: Ledger, found: FoundLog, why: str
) -> None:
    [said] = differences(known, ledger, found)
    assert why in said


@dataclass
class FakeClient:
    """Answers a Fetch as a broker would: the batches from the one that has the offset on."""

    batches: bytes = b""
    error_code: int = 0
    sent: list[tuple[int, Any]] = field(default_factory=list)

    @property
    def _client(self) -> "FakeClient":
        return self

    async def send(self, broker: int, request: Any) -> Any:
        self.sent.append((broker, request))

        @dataclass
        class Answer:
            topics: list[Any]

        return Answer([("t", [(0, self.error_code, 10, 10, 0, [], -1, self.batches)])])


def log_of(records: Mapping[int, bytes]) -> FakeClient:
    """Return a broker whose log has the values at their offsets, in one batch."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 100_000)
    for offset, value in records.items():
        builder.append(offset, 1_700_000_000_000, b"key", value, [])
    return FakeClient(bytes(builder.build()))


async def test_a_record_is_found_by_its_offset_and_one_that_was_compacted_away_is_not() -> None:
    client = log_of({0: b"zero", 1: b"one", 4: b"four"})
    assert (await record_at(client, found_log(), 0, 1)) is not None
    assert (await record_at(client, found_log(), 0, 2)) is None
    assert client.sent[0][0] == 1


async def test_an_offset_out_of_range_is_no_record_and_another_error_is_raised() -> None:
    assert (await record_at(FakeClient(error_code=1), found_log(), 0, 5)) is None
    with pytest.raises(NotLeaderForPartitionError):
        await record_at(FakeClient(error_code=6), found_log(), 0, 5)


def mark(offset: int, value: bytes) -> Mark:
    return Mark(offset, digest_of(FakeRecord(0, offset, value)))


async def nothing_is_known(partition: int, offset: int, record: Content) -> bool:
    return False


async def everything_is_known(partition: int, offset: int, record: Content) -> bool:
    return True


async def against(
    ledger: Ledger,
    found: FoundLog,
    client: FakeClient,
    known: KnownLog | None = KNOWN,
    is_accounted_for: Any = nothing_is_known,
) -> list[str]:
    return [why async for why in objections(client, found, known, ledger, is_accounted_for)]


async def test_a_mark_that_is_there_still_or_no_longer_is_no_objection() -> None:
    client = log_of({3: b"three", 9: b"nine"})
    assert await against({0: Entry(10, mark=mark(9, b"nine"))}, found_log(), client) == []
    assert await against({0: Entry(8, mark=mark(7, b"compacted away"))}, found_log(), client) == []
    assert await against({0: Entry(5, mark=mark(4, b"expired"))}, found_log(begin=5), client) == []


async def test_another_record_in_the_place_of_a_mark_is_another_log() -> None:
    [why] = await against({0: Entry(10, mark=mark(9, b"nine"))}, found_log(), log_of({9: b"another"}))
    assert why == "partition 0 has another record at offset 9 than the one that was stored from there"


async def test_a_ledger_without_marks_is_known_by_its_last_record() -> None:
    client, ledger = log_of({9: b"nine"}), {0: Entry(10)}
    assert await against(ledger, found_log(), client, known=None, is_accounted_for=everything_is_known) == []
    [why] = await against(ledger, found_log(), client, known=None)
    assert "has another record at offset 9" in why


async def test_a_ledger_without_marks_whose_last_record_expired_is_taken_on_if_nothing_is_missing() -> None:
    client = FakeClient()
    assert await against({0: Entry(10)}, found_log(begin=10), client, known=None) == []
    [why] = await against({0: Entry(10)}, found_log(begin=12, end=12), client, known=None)
    assert "nothing that was stored is left in it to know it by" in why


async def test_a_ledger_with_nothing_in_it_is_of_any_log() -> None:
    assert await against({}, found_log(begin=5), FakeClient(), known=None) == []


def test_a_new_log_is_read_from_0_and_one_that_was_cut_off_from_where_it_begins() -> None:
    assert starts(Comparison(KNOWN, {}, found_log(begin=4, topic_id=B), ["another"])) == {}
    assert starts(Comparison(None, {}, found_log(begin=4), ["another"])) == {}
    assert starts(Comparison(KNOWN, {}, found_log(begin=4), ["cut off"])) == {0: 4}
