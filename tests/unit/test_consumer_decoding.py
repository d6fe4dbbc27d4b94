"""Records into batches, and what is decided about their offsets."""

import pytest

from attemptlog.event_store.decoding import MAX_DETAIL, decode_batch, printable
from attemptlog.event_store.errors import Hole
from attemptlog.runtime.topic_log import Mark, digest_of
from attemptlog.schemas import encode
from tests.support.consumer import FakeRecord, Partition, envelope
from tests.support.http import Exam

EXAM = Exam()


def test_a_record_that_is_no_envelope_does_not_fail_its_neighbours() -> None:
    event = envelope(EXAM)
    batch = decode_batch(Partition().records(event, b"no json", None, event))
    assert [row.record.offset for row in batch.rows] == [0, 3]
    assert [(letter.record.offset, letter.reason) for letter in batch.undecodable] == [
        (1, "undecodable"),
        (2, "undecodable"),
    ]
    assert [row.columns.id.decode() for row in batch.rows] == [event.id, event.id]
    assert len(batch) == 4


def test_records_come_in_the_order_of_partitions_and_offsets() -> None:
    one, zero = Partition(1, next_offset=7).records(b"", b""), Partition(0, next_offset=3).records(b"")
    batch = decode_batch([*one, *zero])
    assert [letter.record for letter in batch.undecodable] == [*zero, *one]
    assert (batch.first_offsets, batch.next_offsets) == ({0: 3, 1: 7}, {0: 4, 1: 9})
    assert batch.partitions == [0, 1]


def test_only_a_start_beyond_the_ledger_is_a_hole() -> None:
    batch = decode_batch(FakeRecord(number, offset=5, value=b"") for number in range(3))
    assert batch.holes({0: 4, 1: 5, 2: 6}) == {Hole(partition=0, next_offset=4, first_offset=5)}


def test_what_the_ledger_has_is_left_out() -> None:
    event = envelope(EXAM)
    batch = decode_batch([*Partition(0).records(event, b"", event), *Partition(1).records(event)])
    new = batch.after({0: 2, 1: 9})
    assert [(row.record.partition, row.record.offset) for row in new.rows] == [(0, 2)]
    assert new.undecodable == []
    assert new.next_offsets == {0: 3, 1: 9}
    assert batch.after({0: 0, 1: 0}) is batch


def test_the_mark_of_a_partition_is_its_last_record() -> None:
    event = envelope(EXAM)
    batch = decode_batch([*Partition(0).records(event, b"last"), *Partition(1, next_offset=4).records(event)])
    assert batch.marks == {
        0: Mark(1, digest_of(FakeRecord(0, 1, b"last"))),
        1: Mark(4, digest_of(FakeRecord(1, 4, encode(event)))),
    }
    assert batch.after({0: 2, 1: 0}).marks.keys() == {1}


def test_a_batch_contradicts_a_mark_only_with_another_record_in_its_place() -> None:
    batch = decode_batch(Partition(next_offset=3).records(b"three", b"four", envelope(EXAM)))
    assert not batch.contradicts(0, Mark(4, digest_of(FakeRecord(0, 4, b"four"))))
    assert batch.contradicts(0, Mark(4, digest_of(FakeRecord(0, 4, b"another"))))
    assert batch.contradicts(0, Mark(5, b""))
    assert not batch.contradicts(0, Mark(2, b"before it"))
    assert not batch.contradicts(0, Mark(6, b"after it"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((b"k", b"v"), (b"kv", b"")),
        ((None, b"v"), (b"", b"v")),
        ((b"k", None), (b"k", b"")),
        ((b"1", b"v"), (b"2", b"v")),
    ],
)
def test_what_differs_in_key_or_value_differs_in_its_digest(
    one: tuple[bytes | None, bytes | None], other: tuple[bytes | None, bytes | None]
) -> None:
    digests = {digest_of(FakeRecord(0, 0, value, key)) for key, value in (one, other)}
    assert len(digests) == 2


def test_a_detail_can_be_put_anywhere() -> None:
    assert printable("a\x00b\ud800\nc") == "a\ufffdb\ufffd\ufffdc"
    assert len(printable("x" * 10_000)) == MAX_DETAIL
