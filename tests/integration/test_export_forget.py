"""Forgetting, whatever the target: nothing of whom it forgets can be found, and all others' rows are as they were."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa
import pytest

from attemptlog.exporter.errors import Fenced, NotAvailable, TransientError
from attemptlog.exporter.pairs import Pairs
from attemptlog.exporter.rows import SCHEMA, DayTotal
from attemptlog.exporter.target import Batch, Target
from tests.support.export import MONDAY, Place, event, parquet_place, read_with_duckdb
from tests.support.record_store import RunningStore
from tests.support.statements import store_place
from tests.support.targets import PLACES, by_id, place_named, total, write
from tests.support.whom import Whom

# Least of all ids and texts: Parquet has these in the statistics of a file, as they are.
PERSON = "00000000-0000-4000-8000-0000000f0f0f"
SESSION = "00000000-0000-4000-8000-0000005e5510"
SECRET = '{"a": "what nobody is to know any more"}'
TRACES = PERSON, SESSION, "what nobody is to know"
KILLS = 5


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with place_named(request, tmp_path) as place:
        yield place


@pytest.fixture
def target(place: Place) -> Iterator[Target]:
    with place.open() as target:
        target.claim(1)
        yield target


def of_person(**fields: Any) -> dict[str, Any]:
    usual = {"id": f"00000000-0000-7000-8000-{uuid4().hex[:12]}", "user_id": PERSON, "payload": SECRET}
    return event(**(usual | fields))


def others(*days: int) -> list[dict[str, Any]]:
    """Return rows of other persons: of these days after Monday, and some that are unusual."""
    nulls = dict.fromkeys(field.name for field in SCHEMA if field.nullable)
    return [
        *(event(event_ts=MONDAY + timedelta(days=day)) for day in days),
        event(payload='{"text": "Zürich\\n\\"日本\\" \\\\"}', event_ts=MONDAY.replace(microsecond=999_999)),
        event(event_ts=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), row_hash=2**63 - 1),
        event(**nulls, row_hash=-(2**63)),
    ]


def assert_forgotten(place: Place, left: list[dict[str, Any]]) -> None:
    assert place.traces(*TRACES) == {}
    assert by_id(place.rows()) == by_id(left)
    with place.open() as target:
        rows = [row for day in target.days() for chunk in target.rows_of(day) for row in chunk.to_pylist()]
        assert {row["id"] for row in rows} == {row["id"] for row in left}
        assert sum(target.days().values(), DayTotal()) == total(left)


def test_nothing_of_a_person_can_be_found_and_all_others_are_as_they_were(place: Place, target: Target) -> None:
    left = others(0, 1, 2)
    by_session = [event(session_id=SESSION, event_ts=MONDAY + timedelta(days=day)) for day in (0, 3)]
    batches = {
        uuid4(): [*left[:2], of_person(), of_person(event_ts=MONDAY + timedelta(days=1))],
        uuid4(): [*left[2:4], *by_session],
        uuid4(): [of_person(event_ts=MONDAY + timedelta(days=9)), of_person(event_ts=MONDAY + timedelta(days=9))],
        uuid4(): left[4:],
    }
    receipts = {batch: write(target, rows, Batch(batch)) for batch, rows in batches.items()}
    assert set(place.traces(*TRACES)) == set(TRACES)
    target.forget(whom := Whom(PERSON, SESSION))
    assert whom.rows == 6
    assert_forgotten(place, left)
    assert {batch: target.committed(batch) for batch in batches} == receipts
    assert target.latest() == list(batches)[-1]


def test_a_second_time_there_is_nothing_to_forget(place: Place, target: Target) -> None:
    write(target, [*(left := others(0)), of_person()])
    write(target, [of_person()])
    for rows in (2, 0, 0):
        target.forget(whom := Whom(PERSON))
        assert whom.rows == rows
        assert_forgotten(place, left)
    write(target, more := [event(), event()])
    target.forget(whom := Whom(PERSON))
    assert_forgotten(place, [*left, *more])


def test_a_place_without_rows_has_nothing_to_forget(place: Place, target: Target) -> None:
    target.forget(whom := Whom(PERSON))
    assert (whom.rows, place.rows()) == (0, [])


def test_a_target_of_which_everybody_is_forgotten_goes_on(place: Place, target: Target) -> None:
    write(target, [of_person(), of_person(event_ts=MONDAY + timedelta(days=1))])
    for _ in range(2):
        target.forget(Whom(PERSON))
        assert_forgotten(place, [])
    write(target, rows := [event(), event()], Batch(uuid4(), repeats=True))
    assert_forgotten(place, rows)


def test_columns_that_came_later_stay(place: Place, target: Target) -> None:
    more = SCHEMA.append(pa.field("device", pa.string()))
    left = [event(device="tablet"), event(device=None)]
    write(target, [*left, of_person(device="of nobody")], schema=more)
    target.forget(Whom(PERSON))
    assert_forgotten(place, left)
    assert place.traces("of nobody") == {}


def test_whose_rows_came_twice_is_forgotten_altogether(place: Place, target: Target) -> None:
    rows = [*(left := others(0)), of_person(), of_person()]
    write(target, rows)
    write(target, rows, Batch(uuid4(), repeats=True))
    target.forget(whom := Whom(PERSON))
    assert whom.rows == 2
    assert_forgotten(place, left)


def test_what_breaks_off_is_ended_by_the_next(place: Place, target: Target) -> None:
    write(target, [*(left := others(0, 1)), of_person(), of_person(event_ts=MONDAY + timedelta(days=1))])

    def away(pairs: Pairs) -> Pairs:
        raise TransientError("PostgreSQL went away")

    with pytest.raises(TransientError, match="went away"):
        target.forget(away)
    target.forget(Whom(PERSON))
    assert_forgotten(place, left)


def test_who_was_replaced_ends_and_who_came_forgets(place: Place) -> None:
    """Either the second has to wait for the first, or it takes over and the first is refused."""
    with place.open() as old, place.open() as new:
        old.claim(1)
        write(old, [*(left := others(0, 1)), of_person()])
        taken = []

        def taken_over_half_way(pairs: Pairs) -> Pairs:
            try:
                new.claim(2)
                taken.append(True)
            except TransientError:
                taken.append(False)
            return Whom(PERSON)(pairs)

        try:
            old.forget(taken_over_half_way)
            assert not any(taken)
        except Fenced:
            assert any(taken)
            new.forget(Whom(PERSON))
    assert_forgotten(place, left)


@pytest.fixture
def forgetter(place: Place) -> Iterator["subprocess.Popen[str]"]:
    arguments = [sys.executable, "-W", "error", "-m", "tests.support.killed_forgets", place.address, PERSON]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def forget(forgetter: "subprocess.Popen[str]", fence: int, step: int | str) -> int:
    """Do it in another process, which dies at a step if it is one; return how many steps it took."""
    assert forgetter.stdin
    assert forgetter.stdout
    forgetter.stdin.write(f"{fence} {step}\n")
    forgetter.stdin.flush()
    return int(forgetter.stdout.readline())


def fill(place: Place, fence: int) -> list[dict[str, Any]]:
    """Write files and batches with the person in all of them; return the others' rows."""
    left = others(0, 1)
    with place.open() as target:
        target.claim(fence)
        write(target, [*left[:2], of_person(), of_person(event_ts=MONDAY + timedelta(days=1))])
        write(target, [*left[2:], of_person(session_id=SESSION)])
    return left


def test_who_is_killed_at_any_step_leaves_others_rows_once_and_the_next_ends_it(
    place: Place, forgetter: "subprocess.Popen[str]"
) -> None:
    left = fill(place, 1)
    steps = forget(forgetter, 2, "-")
    for kill in range(KILLS):
        left += fill(place, 10 * kill + 3)
        forget(forgetter, 10 * kill + 4, 1 + kill * steps // KILLS)
        assert by_id([row for row in place.rows() if row["user_id"] != PERSON]) == by_id(left)
        assert forget(forgetter, 10 * kill + 5, "-") > 0
        assert_forgotten(place, left)


def test_who_reads_a_directory_meanwhile_finds_every_other_row_once(tmp_path: Path) -> None:
    with parquet_place(tmp_path) as place, place.open() as target:
        target.claim(1)
        left = [event(event_ts=MONDAY + timedelta(days=day)) for day in range(8)]
        write(target, [each for row in left for each in (row, of_person(event_ts=row["event_ts"], session_id=SESSION))])
        persons = [of_person(user_id=f"{n:08}-0000-4000-8000-0000000f0f0f") for n in range(30)]
        for person in persons:
            write(target, [person, added := event()])
            left.append(added)
        finished, found = threading.Event(), []

        def read() -> None:
            while not finished.is_set():
                with suppress(duckdb.Error):  # it looks at a file, and opens it by its name once more to read it
                    found.append(sorted(row["id"] for row in place.rows()))

        reader = threading.Thread(target=read)
        reader.start()
        for person in persons:
            target.forget(Whom(person["user_id"]))
        finished.set()
        reader.join()
        found.append(sorted(row["id"] for row in place.rows()))
    others_ids = {row["id"] for row in left}
    assert len(found) > 1
    assert all(len(ids) == len(set(ids)) and others_ids <= set(ids) for ids in found)


def test_a_file_of_which_no_row_is_left_can_be_read_until_the_next_purge(tmp_path: Path) -> None:
    with parquet_place(tmp_path) as place, place.open() as target:
        target.claim(1)
        write(target, [of_person()])
        files = list(tmp_path.glob("events/day=*/*.parquet"))
        target.forget(Whom(PERSON))
        assert list(tmp_path.glob("events/day=*/*.parquet")) == files
        assert read_with_duckdb(str(files[0])) == []
        write(target, [left := event()])
        target.forget(Whom(PERSON))
        assert not files[0].exists()
        assert_forgotten(place, [left])


def test_a_record_store_says_that_it_cannot(tmp_path: Path, record_store: RunningStore) -> None:
    with store_place(tmp_path, record_store) as place, place.open() as target:
        target.claim(1)
        write(target, [of_person()])
        left = tmp_path / "books" / next((tmp_path / "books").iterdir()).name / "_attemptlog/staged/file.jsonl"
        left.parent.mkdir()
        left.write_text(SECRET)
        with pytest.raises(NotAvailable, match="whoever runs the store"):
            target.forget(Whom(PERSON))
        assert place.traces(*TRACES) == {}
