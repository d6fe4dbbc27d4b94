from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from attemptlog.exporter.errors import DataError
from attemptlog.exporter.rows import SCHEMA, TIMES, DayTotal, by_day, check_times, signed, total_of
from tests.support.export import MONDAY, chunk_of, event


@pytest.mark.parametrize(
    ("total", "as_signed"),
    [(0, 0), (2**63 - 1, 2**63 - 1), (2**63, -(2**63)), (2**64, 0), (-(2**63) - 1, 2**63 - 1), (3 * 2**64 - 5, -5)],
)
def test_a_sum_is_kept_modulo_2_to_the_64(total: int, as_signed: int) -> None:
    assert signed(total) == as_signed


def test_totals_overflow_as_their_sum_does() -> None:
    hashes = [2**63 - 1, 2**63 - 1, 5]
    chunks = [chunk_of([event(row_hash=number) for number in numbers]) for numbers in (hashes[:2], hashes[2:])]
    assert total_of(chunks[0]) + total_of(chunks[1]) == DayTotal(3, signed(sum(hashes)))


def test_rows_are_parted_by_the_day_in_utc_also_before_1970() -> None:
    last = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    chunk = chunk_of([event(event_ts=when) for when in (MONDAY, last, datetime(1970, 1, 1, tzinfo=UTC), MONDAY)])
    assert [(day, rows.num_rows) for day, rows in by_day(chunk)] == [
        (date(1969, 12, 31), 1),
        (date(1970, 1, 1), 1),
        (MONDAY.date(), 2),
    ]


@pytest.mark.parametrize("column", TIMES)
@pytest.mark.parametrize("microseconds", [2**63 - 1, -(2**63), 253_370_764_800_000_000, -62_135_596_800_000_000])
def test_a_time_out_of_the_calendar_is_named_with_its_row(column: str, microseconds: int) -> None:
    good, bad = event(), event(**{column: microseconds})
    with pytest.raises(DataError, match=column) as caught:
        check_times(chunk_of([good, bad]))
    assert caught.value.row == bad["id"]


def test_times_of_the_calendar_and_nulls_are_good() -> None:
    check_times(chunk_of([event(), event(client_ts=None, sent_at=None)]))
    check_times(pa.RecordBatch.from_pylist([], schema=SCHEMA))
