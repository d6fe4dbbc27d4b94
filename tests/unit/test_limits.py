"""How large a batch may be: what Kafka tells, and what it shows by refusing."""

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from attemptlog.publisher.limits import ENOUGH_BYTES, MAX_BATCH_BYTES, Limits


def test_a_wide_topic_changes_nothing() -> None:
    assert Limits.told(10 * 1024 * 1024) == Limits(MAX_BATCH_BYTES, None) == Limits()


def test_a_narrow_topic_bounds_the_batch_and_only_a_very_narrow_one_the_record() -> None:
    assert Limits.told(100_000) == Limits(100_000, None)
    assert Limits.told(ENOUGH_BYTES - 1) == Limits(ENOUGH_BYTES - 1, ENOUGH_BYTES - 1)


def test_what_was_refused_is_halved_until_a_single_record_is_refused() -> None:
    limits = Limits().without(300_000, 50)
    assert limits == Limits(150_000, None)
    assert limits.without(4_000, 1) == Limits(4_000, 3_999)


@given(st.binary(min_size=36, max_size=36), st.binary(max_size=6_000), st.integers(-2, 2))
def test_a_record_is_taken_exactly_when_its_batch_is_not_larger_than_the_topic_takes(
    key: bytes, value: bytes, more: int
) -> None:
    alone = BatchBuilder(0, 0)
    alone.append(timestamp=None, key=key, value=value)
    assert Limits(MAX_BATCH_BYTES, alone.size() + more).takes(key, value) == (more >= 0)


@pytest.mark.parametrize("value", [b"", b"x" * 100_000])
def test_without_a_limit_every_record_is_taken(value: bytes) -> None:
    assert Limits().takes(b"key", value)
