"""What an event becomes in xAPI, and that the page on it says the same."""

import json
from typing import Any

import pytest

from attemptlog.exporter.errors import DataError
from attemptlog.exporter.statements import ABSENCES, MEANINGS, PLACED, Meaning
from attemptlog.schemas import EVENT_TYPES
from tests.support.documents import ROOT, as_table, rows, table
from tests.support.export import chunk_of
from tests.support.statements import (
    BASE,
    EVERY,
    EXAM,
    EXAMPLES,
    HOME_PAGE,
    example_row,
    line,
    row_of,
    statement,
)

PAGE = ROOT / "docs/how-to/export-xapi.md"
QUESTION = EXAMPLES["ANSWER_CHANGED"]["question_id"]


def result(event_type: str, payload: Any) -> Any:
    return statement(example_row(event_type, payload)).get("result")


@pytest.mark.parametrize("row", EVERY, ids=lambda row: row["event_type"])
def test_a_statement_says_who_when_and_all_that_was_stored(row: dict[str, Any]) -> None:
    made = statement(row)
    assert made["actor"] == {"objectType": "Agent", "account": {"homePage": HOME_PAGE, "name": row["user_id"]}}
    read = {name: value for name, value in row_of(made).items() if name not in ("payload", "dropped")}
    assert read == {name: row[name] for name in read}
    left_out = row.keys() - read.keys() - {"payload", "dropped", "exam_id"}
    assert {name for name in left_out if row[name] is not None} == set()
    assert "mbox" not in json.dumps(made)


def test_every_event_type_has_a_meaning() -> None:
    assert tuple(MEANINGS) == EVENT_TYPES


def test_an_event_type_that_nobody_knows_is_named_with_its_row() -> None:
    row = example_row("QUESTION_VIEWED") | {"event_type": "QUESTION_SKIPPED"}
    with pytest.raises(DataError, match="QUESTION_SKIPPED") as caught:
        statement(row)
    assert caught.value.row == row["id"]


def test_a_payload_with_a_number_that_no_double_holds_is_named_with_its_row() -> None:
    row = example_row("ANSWER_SELECTED") | {"payload": '{"choice": 1e400}'}
    with pytest.raises(DataError, match="payload") as caught:
        statement(row)
    assert caught.value.row == row["id"]


@pytest.mark.parametrize(
    ("event_type", "payload", "expected"),
    [
        ("SESSION_SUBMITTED", {"answered": 8}, {"completion": True}),
        ("SESSION_EXPIRED", {"answered": 6}, {"completion": False}),
        ("ANSWER_SELECTED", {"pos": 3, "choice": 0}, {"response": "0"}),
        ("ANSWER_CHANGED", {"pos": 3, "choice": 2, "prev_choice": 1}, {"response": "2"}),
        ("NAVIGATE_NEXT", {"dwell_ms": 12_480}, {"duration": "PT12.480S"}),
        ("NAVIGATE_PREV", {"dwell_ms": 7}, {"duration": "PT0.007S"}),
        ("PAUSE_BLUR", {"state": "focus", "away_ms": 5_300}, {"duration": "PT5.300S"}),
    ],
)
def test_a_result_is_what_the_payload_says(event_type: str, payload: Any, expected: Any) -> None:
    assert result(event_type, payload) == expected


@pytest.mark.parametrize("value", [None, True, -1, 1.5, "2", [2], {"of": 2}])
@pytest.mark.parametrize(
    ("event_type", "key"), [("ANSWER_SELECTED", "choice"), ("NAVIGATE_JUMP", "dwell_ms"), ("ANSWER_CHANGED", "other")]
)
def test_what_is_no_count_is_no_result_and_stays_in_the_payload(event_type: str, key: str, value: Any) -> None:
    made = statement(example_row(event_type, {key: value}))
    assert "result" not in made
    assert made["context"]["extensions"][f"{BASE}/xapi/extensions/payload"] == {key: value}


@pytest.mark.parametrize(
    ("payload", "verb"),
    [
        ({"state": "blur"}, "suspended"),
        ({"state": "focus"}, "resumed"),
        ({"state": "away"}, "interacted"),
        ({"state": ["blur"]}, "interacted"),
        ({}, "interacted"),
    ],
)
def test_an_absence_is_told_by_its_state(payload: Any, verb: str) -> None:
    assert statement(example_row("PAUSE_BLUR", payload))["verb"]["display"] == {"en": verb}


def test_a_question_is_part_of_the_exam_and_without_one_of_the_attempt() -> None:
    row = example_row("QUESTION_VIEWED")
    for whole, made in [
        (f"exams/{EXAM}", statement(row | {"exam_id": EXAM})),
        (f"sessions/{row['session_id']}", statement(row)),
    ]:
        [parent] = made["context"]["contextActivities"]["parent"]
        assert (made["object"]["id"], parent["id"]) == (f"{BASE}/questions/{QUESTION}", f"{BASE}/{whole}")


def test_a_hash_keeps_its_last_digit_and_a_number_its_last_nought() -> None:
    row = example_row("QUESTION_VIEWED") | {"payload": '{"pos": 3.10, "n": 123456789012345678901}'}
    text = line(row)
    assert b'"-9223372036854775807"' in text
    assert row["payload"].encode() in text


def test_the_page_has_the_mapping() -> None:
    states = {f"PAUSE_BLUR` with `state` `{state}": meaning for state, meaning in ABSENCES.items()}
    body = [
        [f"`{kind}`", f"`{meaning.verb.id}`", described(meaning)] for kind, meaning in ({**MEANINGS, **states}).items()
    ]
    assert table(PAGE, "Verbs") == as_table(["Event type", "Verb", "Result"], body)


def described(meaning: Meaning) -> str:
    if meaning.completion is not None:
        return f"`completion` {str(meaning.completion).lower()}"
    if meaning.response is not None:
        return f"`response` from `{meaning.response}`"
    return f"`duration` from `{meaning.duration}`" if meaning.duration is not None else ""


def test_the_page_has_the_activities() -> None:
    viewed = example_row("QUESTION_VIEWED")
    made = [
        statement(row) for row in (viewed, example_row("SESSION_CREATED", exam_id=EXAM), example_row("SESSION_CREATED"))
    ]
    shown = {(row[1].strip("`").partition("/")[0], row[2].strip("`")) for row in rows(table(PAGE, "Activities"))}
    objects = [each["object"] for each in made]
    assert shown == {(it["id"].removeprefix(f"{BASE}/").partition("/")[0], it["definition"]["type"]) for it in objects}


def test_the_page_has_the_extensions() -> None:
    listed = [row[0].strip("`") for row in rows(table(PAGE, "Extensions"))]
    assert listed == [name for name in chunk_of([]).schema.names if name not in PLACED]
