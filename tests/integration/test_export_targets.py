"""What every target has to hold to. A new one needs no more than a line in tests.support.targets."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from attemptlog.exporter.errors import Fenced, SetUpError, TransientError
from attemptlog.exporter.rows import HELD, SCHEMA, Chunk
from attemptlog.exporter.target import Batch, Receipt, Target
from tests.support.export import MONDAY, Place, chunk_of, event
from tests.support.targets import PLACES, by_id, place_named, total, write

NULLABLE = [field.name for field in SCHEMA if field.nullable]


@pytest.fixture(params=[*PLACES, "record_store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with place_named(request, tmp_path) as place:
        yield place


@pytest.fixture
def target(place: Place) -> Iterator[Target]:
    with place.open() as target:
        target.claim(1)
        yield target


@pytest.fixture(params=PLACES)
def counted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """A target that can tell what is there."""
    with PLACES[request.param](tmp_path) as place, place.open() as target:
        target.claim(1)
        yield target


def interrupted(*chunks: Chunk) -> Iterator[Chunk]:
    yield from chunks
    raise TransientError("PostgreSQL went away")


def test_what_is_written_is_there_to_the_microsecond(place: Place, target: Target) -> None:
    rows = [
        event(),
        event(payload='{"text": "Zürich\\n\\"日本\\" \\\\"}', event_ts=MONDAY.replace(microsecond=999_999)),
        event(event_ts=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), row_hash=2**63 - 1),
        event(event_ts=datetime(2, 1, 1, tzinfo=UTC), client_ts=datetime(9998, 12, 31, tzinfo=UTC), row_hash=-(2**63)),
        event(**dict.fromkeys(NULLABLE)),
    ]
    receipt = write(target, rows)
    assert (receipt.rows, receipt.checksum) == (5, total(rows).sum)
    assert receipt.size > 0
    assert by_id(place.rows()) == by_id(rows)


def test_a_column_that_begins_with_nulls_only_keeps_its_type(place: Place, target: Target) -> None:
    rows = [event(**dict.fromkeys(NULLABLE)), event()]
    for row in rows:
        write(target, [row])
    assert by_id(place.rows()) == by_id(rows)


@pytest.mark.parametrize("place", ["s3", "snowflake"], indirect=True)
def test_no_room_for_temporary_files_is_an_operators_and_the_batch_comes_again(
    place: Place, target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows, batch = [event(), event()], uuid4()
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        with pytest.raises(SetUpError, match="No such file or directory"):
            write(target, rows, Batch(batch))
    write(target, rows, Batch(batch, attempt=2))
    assert by_id(place.rows()) == by_id(rows)


def test_a_batch_that_is_written_again_is_in_it_once(place: Place) -> None:
    rows, batch = [event() for _ in range(4)], uuid4()
    for attempt in (1, 2, 2):
        with place.open() as target:
            target.claim(attempt)
            receipt = write(target, rows, Batch(batch, attempt))
            assert target.committed(batch) == receipt == write(target, rows, Batch(batch, attempt))
    assert by_id(place.rows()) == by_id(rows)


def test_the_ledger_knows_nothing_of_a_batch_that_was_not_written(place: Place, target: Target) -> None:
    assert target.committed(uuid4()) is None
    write(target, [event()])
    assert target.committed(uuid4()) is None


def test_the_ledger_tells_the_batch_that_was_committed_last(place: Place, target: Target) -> None:
    first, second = uuid4(), uuid4()
    for batch in (first, second, first):
        write(target, [event()], Batch(batch))
    with place.open() as again:
        assert again.latest() == target.latest() == second


def test_a_place_that_nobody_has_claimed_can_be_asked(place: Place) -> None:
    with place.open() as target:
        assert target.committed(uuid4()) is None
        assert target.latest() is None
        if place.can_be_counted:
            assert target.days() == {}
            assert list(target.rows_of(MONDAY.date())) == []


def test_a_batch_without_rows_is_committed(place: Place, target: Target) -> None:
    batch = uuid4()
    assert target.write(Batch(batch), iter([])) == Receipt(0, 0, 0) == target.committed(batch)
    assert place.rows() == []


@pytest.mark.parametrize("again", ["the same target", "another process"])
def test_a_batch_that_breaks_off_leaves_nothing_and_can_be_written_after_all(place: Place, again: str) -> None:
    earlier, rows, batch = [event()], [event() for _ in range(4)], uuid4()
    with place.open() as target:
        target.claim(1)
        write(target, earlier)
        with pytest.raises(TransientError, match="went away"):
            target.write(Batch(batch), interrupted(chunk_of(rows[:2])))
        assert target.committed(batch) is None
        assert by_id(place.rows()) == earlier
        if again == "the same target":
            write(target, rows, Batch(batch, attempt=2))
    if again == "another process":
        with place.open() as target:
            target.claim(2)
            write(target, rows, Batch(batch, attempt=2))
    assert by_id(place.rows()) == by_id([*earlier, *rows])


def test_rows_that_come_a_second_time_are_kept_once(place: Place, target: Target) -> None:
    old, new = [event(event_ts=MONDAY + timedelta(days=n % 2)) for n in range(6)], [event() for _ in range(3)]
    write(target, old)
    batch = Batch(uuid4(), repeats=True)
    repeated = by_id([*old[1:5], *new])
    receipt = write(target, repeated, batch)
    assert (receipt.rows, receipt.checksum) == (7, total(repeated).sum)
    assert target.committed(batch.id) == receipt
    assert by_id(place.rows()) == by_id([*old, *new])
    assert write(target, repeated, Batch(uuid4(), repeats=True)).rows == 7
    assert by_id(place.rows()) == by_id([*old, *new])


def test_a_writer_that_was_replaced_commits_nothing_more(place: Place) -> None:
    rows = [event(), event()]
    with place.open() as old:
        old.claim(1)
        write(old, rows)
    with place.open() as new:
        new.claim(2)
    with place.open() as late, pytest.raises(Fenced):
        late.claim(1)
    with place.open() as new:
        new.claim(2)  # the same one again: after it lost its connection
        write(new, [event(id="01890a5d-ac96-774b-bcce-b302099a8057")])
    assert len(place.rows()) == 3


def test_of_two_writers_at_the_same_time_one_commits(place: Place) -> None:
    """Either the second has to wait for the first, or it takes over and the first is refused."""
    batch, taken = uuid4(), []

    def taken_over_half_way(new: Target) -> Iterator[Chunk]:
        yield chunk_of([event()])
        try:
            new.claim(2)
            taken.append(True)
        except TransientError:
            taken.append(False)
        yield chunk_of([event()])

    with place.open() as old, place.open() as new:
        old.claim(1)
        try:
            old.write(Batch(batch), taken_over_half_way(new))
            assert taken == [False]
        except Fenced:
            assert taken == [True]
    assert len(place.rows()) == (0 if taken == [True] else 2)


def test_the_days_are_counted_from_the_rows(counted: Target) -> None:
    night = datetime(2026, 3, 2, 23, 59, 59, 999_999, tzinfo=UTC)
    rows = [event(event_ts=night + timedelta(microseconds=n), row_hash=2**62 + n) for n in range(4)]
    write(counted, rows)
    write(counted, late := [event(event_ts=MONDAY)])
    assert counted.days() == {date(2026, 3, 2): total([rows[0], *late]), date(2026, 3, 3): total(rows[1:])}


def test_a_days_rows_are_told_by_id_and_hash_and_whose_they_are(counted: Target) -> None:
    rows = [event(event_ts=MONDAY + timedelta(days=n // 2)) for n in range(6)]
    write(counted, rows[:3])
    write(counted, rows[3:])
    found = [row for chunk in counted.rows_of(date(2026, 3, 3)) for row in chunk.to_pylist()]
    assert by_id(found) == by_id([{name: row[name] for name in HELD.names} for row in rows[2:4]])
    assert list(counted.rows_of(date(2026, 3, 9))) == []


def test_a_schema_that_gained_a_column_goes_on(place: Place, target: Target) -> None:
    more = SCHEMA.append(pa.field("device", pa.string()))
    write(target, [older := event()])
    write(target, [newer := event(device="tablet")], schema=more)
    write(target, [oldest := event()])  # an exporter of before, while they are replaced
    assert by_id(place.rows()) == by_id([older | {"device": None}, newer, oldest | {"device": None}])
    if place.can_be_counted:
        assert target.days() == {MONDAY.date(): total([older, newer, oldest])}


def test_many_rows_of_many_days_are_all_there(place: Place, target: Target) -> None:
    rows = [event(event_ts=MONDAY + timedelta(hours=7 * n)) for n in range(500)]
    assert write(target, rows).rows == 500
    assert by_id(place.rows()) == by_id(rows)
    if place.can_be_counted:
        assert sum((found.rows for found in target.days().values()), 0) == 500
