"""All of a session on one clock, against the times at which its events really happened."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row

from attemptlog.simulation.candidate import sittings_of
from attemptlog.simulation.sitting import elapsed_ms
from tests.support.oldest_postgres import on_every_postgres
from tests.support.page_clock import Clock, Network, Page, Stored, can_be_known, moment
from tests.support.property_tests import examples
from tests.support.services import temporary_database, with_database

pytestmark = on_every_postgres

ROUNDING = timedelta(milliseconds=5)  # a browser's clock has whole milliseconds
MOST_EVENTS = 150
SESSION = UUID(int=4)

SEAT: LiteralString = """
    INSERT INTO users (id) VALUES ('00000000-0000-0000-0000-000000000001');
    INSERT INTO test_sessions (id, user_id)
    VALUES ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001');
"""
INSERT: LiteralString = """
    INSERT INTO attempt_events
        (id, event_version, event_type, event_ts, client_ts, sent_at, seq, stream_id, session_id, user_id)
    VALUES (
        gen_random_uuid(), 1, %s, %s, %s, %s, %s, %s, '00000000-0000-0000-0000-000000000004',
        '00000000-0000-0000-0000-000000000001'
    )
"""
READ: LiteralString = "SELECT * FROM session_timeline WHERE session_id = %s ORDER BY at, seq"

hours = st.floats(0, 10_000)
skews = st.sampled_from([0.0, 0.4, -7.0, 3600.0, -90.0, 86_400.0 * 3650])
steps = st.floats(60, 10_800) | st.floats(-10_800, -60)
clocks = st.builds(Clock, skews, st.lists(st.tuples(hours, steps), max_size=2))
ways = st.sampled_from([0.01, 0.05, 0.1, 0.8, 2.5])
outages = st.lists(st.builds(lambda since, length: (since, since + length), hours, st.floats(60, 7200)), max_size=2)
networks = st.builds(Network, st.lists(ways | st.just(9.0), min_size=1, max_size=4), outages)


@pytest.fixture(scope="module")
def connection(postgres_url: str, template_database: str) -> Iterator[psycopg.Connection[Any]]:
    with temporary_database(postgres_url, template=template_database) as name:
        url = with_database(postgres_url, name)
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connected:
            connected.execute(SEAT)
            yield connected


def times_of(seed: int) -> list[float]:
    """Return when what a simulated candidate does really happens, in seconds; no two at the same time."""
    [sitting] = sittings_of(1, str(seed))
    times = [ms / 1000 for ms in elapsed_ms(sitting.events)][:MOST_EVENTS]
    return [time + 0.0001 * number for number, time in enumerate(times)]


def in_tabs(times: Sequence[float], tabs: int, random: Random) -> list[list[float]]:
    each: list[list[float]] = [[] for _ in range(tabs)]
    for time in times:
        random.choice(each).append(time)
    return [tab for tab in each if tab]


@contextmanager
def stored(
    connection: psycopg.Connection[Any], pages: Sequence[Stored], **service: float
) -> Iterator[list[dict[str, Any]]]:
    """Lend the session's rows while the events are stored; of `service`, by type, the second at which each happened."""
    of_pages = [("PAUSE_BLUR", it.event_ts, it.client_ts, it.sent_at, it.seq, it.stream_id) for it in pages]
    of_service = [(event_type, moment(at), None, None, None, None) for event_type, at in service.items()]
    with connection.transaction(force_rollback=True):
        with connection.cursor() as cursor:
            cursor.executemany(INSERT, [*of_pages, *of_service])
        yield connection.execute(READ, [SESSION]).fetchall()


@examples(60)
@given(seed=st.integers(0, 50), clock=clocks, network=networks, says_when=st.booleans())
@pytest.mark.parametrize("tabs", [1, 2])
def test_everything_happened_when_it_is_said_to_or_before_that_by_no_more_than_is_said(  # noqa: PLR0917
    connection: psycopg.Connection[Any], tabs: int, seed: int, clock: Clock, network: Network, says_when: bool
) -> None:
    random = Random(seed)  # noqa: S311
    each = in_tabs(times_of(seed), tabs, random)
    pages = [Page(clock, network, UUID(int=number), says_when, random) for number, _ in enumerate(each)]
    loads = [list(page.store(times)) for page, times in zip(pages, each, strict=True)]
    really = {(it.stream_id, it.seq): it.happened for load in loads for it in load}
    is_bounded = all(can_be_known(clock, network, load) for load in loads)
    with stored(connection, [it for load in loads for it in load], SESSION_CREATED=-1.5) as rows:
        assert len(rows) == len(really) + 1
        for row in rows:
            if row["origin"] == "service":
                assert (row["at"], row["late_by"]) == (row["event_ts"], timedelta(0))
                continue
            happened = really[row["stream_id"], row["seq"]]
            assert row["at"] <= row["event_ts"] + ROUNDING
            if is_bounded:
                assert row["at"] >= happened - ROUNDING
                assert row["late_by"] is None or row["at"] - row["late_by"] <= happened + ROUNDING
    for stream in {it.stream_id for load in loads for it in load}:
        of_stream = sorted((row for row in rows if row["stream_id"] == stream), key=lambda row: row["seq"])
        assert all(before["at"] <= after["at"] for before, after in pairwise(of_stream))


@examples(30)
@given(seed=st.integers(0, 50), ahead=skews, quick=st.lists(ways, min_size=1, max_size=4), away=outages)
def test_a_page_that_says_when_it_sends_is_late_by_its_quickest_request(
    connection: psycopg.Connection[Any], seed: int, ahead: float, quick: list[float], away: list[tuple[float, float]]
) -> None:
    page = Page(Clock(ahead), Network(quick, away), UUID(int=1), random=Random(seed))  # noqa: S311
    load = list(page.store(times_of(seed)))
    with stored(connection, load) as rows:
        for row, it in zip(rows, load, strict=True):
            lateness = row["at"] - it.happened
            rest = [other.way for other in load if other.seq >= it.seq]
            assert lateness <= min(rest) + ROUNDING
            assert row["lost_before"] == 0


@pytest.mark.parametrize("says_when", [True, False])
@pytest.mark.parametrize("by", [-600, -20, 45, 3600])
def test_a_clock_that_is_set_during_the_exam_moves_nothing(
    connection: psycopg.Connection[Any], by: float, says_when: bool
) -> None:
    clock = Clock(0, [(301, by)])
    load = list(Page(clock, Network(), UUID(int=1), says_when).store([float(n) for n in range(0, 600, 5)]))
    with stored(connection, load) as rows:
        assert [row["seq"] for row in rows] == [it.seq for it in load]
        assert max(abs(row["at"] - it.happened) for row, it in zip(rows, load, strict=True)) < timedelta(seconds=5.1)
        assert {row["run"] for row in rows} == {1, 2}


def test_an_answer_is_not_before_its_view_though_its_view_came_later(connection: psycopg.Connection[Any]) -> None:
    load = list(Page(Clock(3600), Network(), UUID(int=1)).store([0, 9, 9.1, 30]))
    with stored(connection, load, ANSWER_SELECTED=4, SESSION_SUBMITTED=33) as rows:
        shown = [(row["event_type"], row["seq"]) for row in rows]
        assert shown == [
            ("PAUSE_BLUR", 1),
            ("ANSWER_SELECTED", None),
            *(("PAUSE_BLUR", seq) for seq in (2, 3, 4)),
            ("SESSION_SUBMITTED", None),
        ]
        assert sorted(rows, key=lambda row: row["event_ts"])[0]["event_type"] == "ANSWER_SELECTED"


def test_a_gap_is_told_with_the_event_after_it(connection: psycopg.Connection[Any]) -> None:
    load = [it for it in Page(Clock(), Network(), UUID(int=1)).store([1, 2, 3, 4, 5, 6]) if it.seq not in {1, 4, 5}]
    with stored(connection, load) as rows:
        assert [(row["seq"], row["lost_before"]) for row in rows] == [(2, 1), (3, 0), (6, 2)]


def test_a_page_without_a_clock_or_numbers_has_the_time_at_which_its_events_came(
    connection: psycopg.Connection[Any],
) -> None:
    load = list(Page(Clock(), Network(), UUID(int=1)).store([1, 2, 3]))
    with connection.transaction(force_rollback=True):
        for it in load:
            connection.execute(INSERT, ["PAUSE_BLUR", it.event_ts, None, None, it.seq, it.stream_id])
        connection.execute(INSERT, ["PAUSE_BLUR", moment(50), moment(45), None, None, None])
        rows = connection.execute(READ, [SESSION]).fetchall()
    assert [(row["at"], row["late_by"], row["origin"]) for row in rows] == [
        *((it.event_ts, None, "page") for it in load),
        (moment(50), None, "page"),
    ]


def test_one_session_is_read_by_the_index(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL enable_seqscan TO off")  # there are few rows
        plan = "\n".join(row["QUERY PLAN"] for row in connection.execute(f"EXPLAIN {READ}".encode(), [SESSION]))
    assert "Seq Scan" not in plan
    assert plan.count("session_id = '00000000-0000-0000-0000-000000000004'") >= 2
