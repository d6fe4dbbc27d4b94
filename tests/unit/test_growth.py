"""What is drawn and told of the sizes that were measured."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks.growth.plot import LINE_OF_TEXT, apart, draw, marks_up_to
from benchmarks.growth.series import (
    DOCUMENTED,
    index_bytes,
    measured_in,
    pages_read,
    rate_by_clock,
    rate_by_cpu,
    table_bytes,
)
from benchmarks.growth.sitting import with_ids_in_order
from benchmarks.growth.table import ROWS, table_of
from benchmarks.school import School
from tests.support.documents import ROOT

SIZES = ROOT / "benchmarks/growth/sizes.jsonl"
PERFORMANCE = ROOT / "docs/performance.md"
PICTURE = ROOT / "docs/images/growth.svg"

SVG = "{http://www.w3.org/2000/svg}"


def turn(cpu: float, rate: float, read: float = 0) -> dict[str, Any]:
    return {
        "client_us": 2.0,
        "postgres_us": cpu - 2,
        "rows_per_second": rate,
        "reading_us": 0.5,
        "writing_us": 0.25,
        "wal": 1300.0,
        "whole_pages": 60.0,
        "blocks_read": {
            "attempt_events": 0.5,
            "attempt_events_pkey": 0.25,
            "attempt_events_session_id_event_ts_idx": read,
            "attempt_events_session_id_stream_id_seq_idx": read,
            "attempt_events_user_id_idx": 1.5,
        },
    }


def point(rows: int, *, read: float = 0, layout: str = DOCUMENTED) -> dict[str, Any]:
    reading = {"median_ms": 5.0, "p95_ms": 12.5, "blocks": 200, "read": 50.5, "waited_ms": 0.1}
    return {
        "rows": rows,
        "layout": layout,
        "size": {
            "attempt_events": 250 * rows,
            "attempt_events_pkey": 50 * rows,
            "attempt_events_user_id_idx": 10 * rows,
        },
        "timeline": reading,
        "session": reading,
        "full": [turn(25, 30_000, read), turn(20, 20_000, read), turn(40, 10_000, read)],
        "empty": [turn(20, 40_000), turn(18, 25_000), turn(20, 40_000)],
    }


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314  # our own picture


def texts(picture: str) -> list[str]:
    return [text for each in parsed(picture).iter(f"{SVG}text") if (text := each.text)]


def lines_of(picture: str) -> Iterator[list[tuple[float, float]]]:
    for path in parsed(picture).iter(f"{SVG}path"):
        if "line" in path.attrib["class"].split():
            numbers = [float(it) for it in path.attrib["d"].removeprefix("M").split()]
            yield list(zip(numbers[::2], numbers[1::2], strict=True))


def test_the_rate_is_compared_within_a_round_and_the_middle_round_counts() -> None:
    assert rate_by_cpu(point(1)) == 20 / 25
    assert rate_by_clock(point(1)) == pytest.approx(30_000 / 40_000)


def test_bytes_and_pages_are_told_by_what_they_belong_to() -> None:
    assert (table_bytes(point(1000)), index_bytes(point(1000))) == (250, 60)
    assert pages_read(point(1, read=2)) == {"session first": 4, "user first": 1.5, "all others": 0.75}


def test_sessions_with_ids_in_order_do_what_they_did() -> None:
    school = School.made_up(5, "a")
    other = with_ids_in_order(school)
    assert other.session_ids == sorted(other.session_ids)
    assert set(other.session_ids).isdisjoint(school.session_ids)
    assert [each.events for each in other.sittings] == [each.events for each in school.sittings]
    assert {each.session_id: each.user_id for each in other.sittings} == other.roster.sessions


def test_sizes_are_told_apart_by_their_layout() -> None:
    lines = "\n".join(json.dumps(point(1, layout=layout)) for layout in ("documented", "lean", "documented"))
    assert [len(measured_in(lines, layout)) for layout in ("documented", "lean", "none", None)] == [2, 1, 0, 3]


def test_more_is_drawn_higher_and_what_grows_by_as_much_is_as_far_apart() -> None:
    picture = draw([point(1_000_000), point(10_000_000, read=5), point(100_000_000, read=50)])
    across = {tuple(x for x, _ in line) for line in lines_of(picture)}
    [(left, middle, right)] = across
    assert middle - left == pytest.approx(right - middle, abs=0.1) != 0
    session_first = [y for _, y in list(lines_of(picture))[-3]]
    assert session_first == sorted(session_first, reverse=True)
    assert len(set(session_first)) == 3


def test_everything_has_a_name_a_unit_and_a_place_in_the_picture() -> None:
    picture = draw([point(1_000_000), point(10_000_000, read=5)])
    shown = texts(picture)
    for text in ("by CPU", "by the clock", "timeline, p95", "rows, median", "table", "indexes", "session first"):
        assert text in shown
    assert shown.count("million rows in the table") == 4
    assert {"Reading a session, ms", "Disk, bytes a row"} <= set(shown)
    width, height = (float(it) for it in parsed(picture).attrib["viewBox"].split()[2:])
    assert all(0 <= x <= width and 0 <= y <= height for line in lines_of(picture) for x, y in line)


def test_one_size_is_a_picture_too() -> None:
    assert all(math.isfinite(x) for line in lines_of(draw([point(1_000_000)])) for x, _ in line)


@pytest.mark.parametrize(
    ("value", "marks"),
    [
        pytest.param(0.95, [0, 0.2, 0.4, 0.6, 0.8, 1], id="a share"),
        pytest.param(1, [0, 0.2, 0.4, 0.6, 0.8, 1], id="exactly a mark"),
        pytest.param(12.4, [0, 2.5, 5, 7.5, 10, 12.5], id="a quarter of ten"),
        pytest.param(360, [0, 100, 200, 300, 400], id="hundreds"),
        pytest.param(0, [0, 1], id="nothing was read"),
    ],
)
def test_the_marks_are_round_and_reach_up_to_the_value(value: float, marks: list[float]) -> None:
    assert marks_up_to(value) == marks


def test_names_that_would_cover_each_other_are_moved_apart_in_their_order() -> None:
    assert apart([100, 98, 10]) == [98 + LINE_OF_TEXT, 98, 10]
    assert apart([50, 10]) == [50, 10]


def test_the_table_has_a_row_for_each_figure_and_a_column_for_each_size() -> None:
    lines = table_of([point(982_791), point(50_000_000, layout="lean")]).splitlines()
    assert lines[0] == "| Rows in the table | 0.983 million, documented | 50 million, lean |"
    assert len(lines) == 2 + len(ROWS)
    assert "| rate of storing by CPU, an empty table's being 1 | 0.8 | 0.8 |" in lines
    assert "| WAL after a checkpoint, bytes a row | 1,300 | 1,300 |" in lines


def test_the_picture_in_the_docs_is_of_what_was_measured() -> None:
    assert PICTURE.read_text() == draw(measured_in(SIZES.read_text(), DOCUMENTED))


@pytest.mark.parametrize("lines", sorted(SIZES.parent.glob("*.jsonl")), ids=lambda path: path.stem)
def test_a_table_in_the_docs_is_of_what_was_measured(lines: Path) -> None:
    assert table_of(measured_in(lines.read_text())) in PERFORMANCE.read_text()
