import json
import math
import os
import re
import tracemalloc
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.schemas import (
    EVENT_TYPES,
    MAX_EVENTS_PER_BATCH,
    MAX_PAYLOAD_BYTES,
    PAGE_DROP_REASONS,
    SOURCES,
)
from attemptlog.schemas.fields import MAX_SEQ
from benchmarks import __main__
from benchmarks.__main__ import Subject, app
from benchmarks.figures import (
    LEFT_OUT,
    MISS,
    OK,
    Figure,
    Reference,
    Target,
    at_least,
    at_most,
    failed,
    in_rounds,
    middle,
    percentile,
    rate_of,
    table_of,
)
from benchmarks.gateway import without_go
from benchmarks.gateways import GO_SOURCE, GoMissing, NotBuilt, build_go
from benchmarks.school import School, interleaved

MOST_BYTES_AN_EVENT = 600  # an Event and its payload; one that is not copied out of orjson's buffer takes 4 KiB more
START = datetime(2026, 1, 12, 9, 0, tzinfo=UTC)


def row(figure: float, target: Target, reference: float | None = None, *wrong: str) -> Figure:
    return Figure("rate", figure, "ev/s", target, None if reference is None else Reference("plain", reference), wrong)


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        pytest.param(row(30, Target("≤", 30)), OK, id="as much as allowed"),
        pytest.param(row(31, Target("≤", 30)), MISS, id="more than allowed"),
        pytest.param(row(450, at_least(4.5), 100), OK, id="a ratio that is reached"),
        pytest.param(row(449, at_least(4.5), 100), MISS, id="a ratio that is not reached"),
        pytest.param(row(19, at_most(0.2), 100), OK, id="a ratio that is low enough"),
        pytest.param(row(math.inf, Target("≤", 30)), MISS, id="an event that never came"),
        pytest.param(row(math.nan, Target("≤", 30)), MISS, id="no figure"),
        pytest.param(row(450, at_least(4.5), math.nan), MISS, id="no figure of the reference"),
        pytest.param(row(450, at_least(4.5), 0), MISS, id="a reference that did nothing"),
        pytest.param(row(450, at_least(4.5)), MISS, id="no reference"),
        pytest.param(row(450, at_least(4.5), 100, "9 rows instead of 10"), MISS, id="a fast wrong answer"),
        pytest.param(failed("gateway", "it did not start"), MISS, id="nothing measured"),
    ],
)
def test_a_verdict_is_about_the_ratio_or_the_figure_and_about_what_was_counted(one: Figure, verdict: str) -> None:
    assert one.verdict == verdict


def test_a_row_is_json_whatever_its_figures_are() -> None:
    assert json.loads(json.dumps(row(math.inf, at_least(2), math.nan, "lost").as_data(), allow_nan=False)) == {
        "row": "rate",
        "figure": None,
        "unit": "ev/s",
        "against": "plain",
        "reference": None,
        "ratio": None,
        "target": "≥ 2 ×",  # noqa: RUF001
        "value": None,
        "bound": "≥",
        "limit": 2,
        "rounds": [],
        "verdict": MISS,
        "wrong": ["lost"],
        "left_out": "",
    }


def test_rows_against_go_say_that_they_are_left_out_where_there_is_no_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GoMissing, match="`go` is not on PATH") as missing:
        build_go()
    [left_out] = without_go([row(80, at_least(0.8))], missing.value)
    assert (left_out.verdict, left_out.notes) == (LEFT_OUT, (str(missing.value),))
    [miss] = without_go([row(80, at_least(0.8), 100, "9 records instead of 10")], missing.value)
    assert (miss.verdict, len(miss.notes)) == (MISS, 2)


def test_rows_against_go_miss_when_there_is_one_that_does_not_build_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho main.go: no >&2\nexit 1\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(NotBuilt, match=r"could not be built: main\.go: no") as not_built:
        build_go()
    [miss] = without_go([row(80, at_least(0.8), 100)], not_built.value)
    assert (miss.verdict, miss.notes) == (MISS, (str(not_built.value),))


def test_rows_against_go_are_as_they_are_when_it_was_built() -> None:
    rows = [row(80, at_least(0.8), 100), row(79, at_least(0.8), 100)]
    assert without_go(rows, None) == rows
    assert [each.verdict for each in rows] == [OK, MISS]


def test_the_gateway_in_go_takes_what_the_contract_takes() -> None:
    source = (GO_SOURCE / "contract.go").read_text()
    listed = dict(re.findall(r"^\t(\w+) += \[\]string\{(.*?)\}", source, re.MULTILINE | re.DOTALL))
    assert {name: tuple(re.findall(r'"(\w+)"', texts)) for name, texts in listed.items()} == {
        "eventTypes": EVENT_TYPES,
        "sources": SOURCES,
        "dropReasons": PAGE_DROP_REASONS,
    }
    numbers = dict(re.findall(r"^\t(max\w+) += (.*?)(?: //.*)?$", source, re.MULTILINE))
    assert numbers == {
        "maxBodyBytes": "320 * 1024",
        "maxEvents": str(MAX_EVENTS_PER_BATCH),
        "maxPayloadBytes": str(MAX_PAYLOAD_BYTES),
        "maxSeq": "1<<31 - 1",
    }
    assert (IngestSettings.model_fields["max_body_bytes"].default, MAX_SEQ) == (320 * 1024, (1 << 31) - 1)


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        pytest.param([row(1, Target("≤", 2))], 0, id="what is good"),
        pytest.param(
            [row(1, Target("≤", 2)), replace(row(1, at_least(1)), left_out="no Go")], 0, id="what is left out"
        ),
        pytest.param([row(1, Target("≤", 2)), row(3, Target("≤", 2))], 1, id="one that misses"),
    ],
)
def test_the_exit_status_is_1_for_a_miss_alone(
    rows: list[Figure], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(__main__, "LocalStack", lambda _: nullcontext())
    monkeypatch.setattr(__main__, "MEASURES", {Subject.GATEWAY: lambda _: rows})
    result = CliRunner().invoke(app, ["--only", "gateway", "--json"])
    assert (result.exit_code, len(json.loads(result.stdout)["rows"])) == (status, len(rows))


def test_the_table_shows_figure_reference_ratio_target_and_verdict() -> None:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table_of([row(90_000, at_least(4.5), 18_000), row(31.4, Target("≤", 30))], "3 rounds"))
    text = captured.get()
    for shown in ("90,000 ev/s", "18,000 ev/s", "plain", "5 ×", "≥ 4.5 ×", OK, "31.4 ev/s", "≤ 30 ev/s", MISS):  # noqa: RUF001
        assert shown in text


def test_a_round_is_compared_with_its_own_reference_because_the_machine_changes_between_rounds() -> None:
    ours, plain = [100, 40, 90], [50, 25, 50]  # slower for everybody in the second
    one = in_rounds("rate", ours, "ev/s", at_least(1.8), against=("plain", plain))
    assert (one.rounds, one.ratio, one.verdict) == ((2, 1.6, 1.8), 1.8, OK)
    assert (one.figure, one.reference) == (90, Reference("plain", 50))


def test_rounds_of_a_figure_without_a_reference_are_its_own() -> None:
    one = in_rounds("p99", [7, 12, 9], "ms", Target("≤", 10))
    assert (one.rounds, one.ratio, one.value, one.verdict) == ((7, 12, 9), None, 9, OK)


def test_a_reference_that_was_not_measured_is_no_ratio() -> None:
    one = in_rounds("rate", [100], "ev/s", at_least(1), against=("Go", []))
    assert (one.rounds, one.verdict) == ((), MISS)


def test_the_table_shows_how_far_rounds_were_apart() -> None:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table_of([in_rounds("rate", [158, 166, 160], "ev/s", at_least(1), against=("a", [100] * 3))], ""))
    assert "3: 1.58 to 1.66" in captured.get()


def test_the_middle_of_nothing_is_no_figure() -> None:
    assert middle([3, 1, 2]) == 2
    assert math.isnan(middle([]))
    assert math.isnan(percentile([], 0.5))


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.99, 1)] == [50, 99, 100]
    assert percentile([7], 0.99) == 7


def test_a_rate_counts_from_the_first_commit_to_the_last_and_not_what_the_first_brought() -> None:
    commits = [(START + timedelta(seconds=2), 300), (START, 1_000_000), (START + timedelta(seconds=1), 100)]
    assert rate_of(commits) == 200


@pytest.mark.parametrize("commits", [[], [(START, 5_000)]], ids=["none", "one"])
def test_fewer_than_two_commits_are_no_rate(commits: list[tuple[datetime, int]]) -> None:
    assert math.isnan(rate_of(commits))


def test_series_go_from_beginning_to_end_together_and_each_in_order() -> None:
    order = list(interleaved([list(range(1_000)), list(range(100))], "seed", twice=0))
    assert [item for number, item in order if number == 0] == list(range(1_000))
    assert [item for number, item in order if number == 1] == list(range(100))
    first_half = [number for number, _ in order[:550]]
    assert first_half.count(1) == pytest.approx(50, abs=2)


def test_a_share_comes_twice_the_second_time_later() -> None:
    order = [item for _, item in interleaved([list(range(10_000))], "seed", twice=0.03)]
    counts = Counter(order)
    twice = [item for item in counts if counts[item] == 2]
    assert len(order) - 10_000 == len(twice) == pytest.approx(300, abs=60)
    assert all(order[order.index(item) + 1] != item for item in twice)


def test_a_class_is_the_same_for_a_seed_and_another_for_another() -> None:
    ids = [School.made_up(3, seed).session_ids for seed in ("a", "a", "b")]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])


def test_a_class_takes_little_more_memory_than_what_it_says() -> None:
    tracemalloc.start()
    try:
        school = School.made_up(30, "a")
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / school.size < MOST_BYTES_AN_EVENT


def test_every_event_of_a_class_becomes_an_envelope_and_a_repeat_has_an_id_of_its_own() -> None:
    school = School.made_up(30, "a")
    envelopes = list(school.envelopes())
    assert len({(it.session_id, it.stream_id, it.seq) for it in envelopes}) == school.size < len(envelopes)
    assert len({it.id for it in envelopes}) == len(envelopes)


@pytest.mark.parametrize("size", [1, 10, 50])
def test_requests_are_full(size: int) -> None:
    requests = School.made_up(10, "a").requests(size, 40)
    assert {request.raw.count(b'"event_type"') for request in requests} == {size}
    assert len(requests) <= 40


def test_a_bad_event_is_one_of_each_request() -> None:
    requests = School.made_up(10, "a").requests(50, 5, with_bad_event=True)
    assert [request.raw.count(b"NO_SUCH_TYPE") for request in requests] == [1] * len(requests)


def test_only_takes_the_subjects_there_are() -> None:
    refused = CliRunner().invoke(app, ["--only", "weather"])
    assert refused.exit_code == 2
    assert all(subject.value in refused.output for subject in Subject)


def test_events_have_to_be_a_file(tmp_path: object) -> None:
    assert CliRunner().invoke(app, ["--events", str(tmp_path)]).exit_code == 2
