import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.agreement import AGREE, DIFFER, FAR_WITHIN, app, compare
from benchmarks.figures import Figure, Target, at_least, failed, in_rounds


def ratio(value: float) -> Figure:
    return in_rounds("rate", [value * 100], "ev/s", at_least(1), against=("plain", [100]))


def bound(value: float) -> Figure:
    return Figure("p99", value, "ms", Target("≤", 100))


@pytest.mark.parametrize(
    ("rows", "spread", "verdict"),
    [
        pytest.param([ratio(1.5), ratio(1.65), ratio(1.6)], 0.1, AGREE, id="ratios within 10 %"),
        pytest.param([ratio(1.5), ratio(1.66), ratio(1.6)], 0.107, DIFFER, id="ratios that differ by more"),
        pytest.param([ratio(2), ratio(3)], 0.5, FAR_WITHIN, id="ratios twice as good as they have to be"),
        pytest.param([ratio(1.9), ratio(3)], 0.579, DIFFER, id="one of them not so good"),
        pytest.param([bound(20), bound(50)], 1.5, FAR_WITHIN, id="a time of half of its limit at most"),
        pytest.param([bound(20), bound(51)], 1.55, DIFFER, id="a time nearer to its limit"),
        pytest.param([bound(90), bound(95)], 0.056, AGREE, id="near to the limit, and the same"),
        pytest.param([bound(20), bound(math.inf)], math.nan, DIFFER, id="a run without a figure"),
        pytest.param([bound(0), bound(0)], math.nan, FAR_WITHIN, id="nothing at all"),
    ],
)
def test_runs_agree_within_a_tenth_or_far_within_the_limit(rows: list[Figure], spread: float, verdict: str) -> None:
    [line] = compare([[row.as_data()] for row in rows])
    assert line.spread == pytest.approx(spread, abs=0.001, nan_ok=True)
    assert line.verdict == verdict


def test_rows_of_the_same_name_are_told_apart_by_what_they_are_compared_with() -> None:
    go = in_rounds("rate", [80], "ev/s", at_least(0.8), against=("Go", [100]))
    lines = compare([[ratio(5).as_data(), go.as_data()], [go.as_data(), ratio(5.1).as_data()]])
    assert [(line.name, line.verdict) for line in lines] == [
        ("rate, against plain", AGREE),
        ("rate, against Go", AGREE),
    ]


def test_a_row_that_a_run_lacks_or_failed_to_measure_differs() -> None:
    assert [line.verdict for line in compare([[ratio(1.5).as_data()], []])] == [DIFFER]
    assert [line.verdict for line in compare([[failed("rate", "it did not start").as_data()]] * 2)] == [DIFFER]


def test_what_every_run_left_out_is_no_line_and_what_one_left_out_differs() -> None:
    left_out = replace(in_rounds("rate", [5], "ev/s", at_least(1), against=("plain", [])), left_out="no Go").as_data()
    assert compare([[left_out], [left_out]]) == []
    assert [line.verdict for line in compare([[left_out], [ratio(1.5).as_data()]])] == [DIFFER]


@pytest.mark.parametrize(("values", "status"), [([1.5, 1.6], 0), ([1.5, 1.8], 1)])
def test_the_command_prints_the_runs_and_fails_where_they_differ(
    values: list[float], status: int, tmp_path: Path
) -> None:
    files = [_saved(tmp_path / f"{value}.json", [ratio(value).as_data()]) for value in values]
    result = CliRunner().invoke(app, files)
    assert result.exit_code == status
    assert all(str(value) in result.output for value in values)


def test_one_run_is_not_compared_with_anything(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [_saved(tmp_path / "1.json", [])])
    assert (result.exit_code, "two or more" in result.output) == (2, True)


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "{}", '{"rows": [{"row": "rate"}]}', '{"rows": [1]}'])
def test_a_file_that_is_no_run_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "2.json").write_text(text)
    result = CliRunner().invoke(app, [_saved(tmp_path / "1.json", []), str(tmp_path / "2.json")])
    assert (result.exit_code, "2.json is not what" in result.output) == (2, True)


def _saved(file: Path, rows: list[dict[str, Any]]) -> str:
    file.write_text(json.dumps({"seconds": 1, "rows": rows}))
    return str(file)
