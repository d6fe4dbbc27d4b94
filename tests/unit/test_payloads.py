from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from attemptlog.schemas import EVENT_TYPES, EventType
from attemptlog.schemas.documents import PAYLOAD_EXAMPLES
from attemptlog.schemas.payloads import PAYLOAD_SHAPES


def fits(event_type: EventType, payload: dict[str, Any]) -> bool:
    try:
        TypeAdapter(PAYLOAD_SHAPES[event_type]).validate_python(payload)
    except ValidationError:
        return False
    return True


def test_every_event_type_has_a_shape_and_a_word_on_what_it_says() -> None:
    assert list(PAYLOAD_SHAPES) == list(EVENT_TYPES)
    assert all(shape.__doc__ for shape in PAYLOAD_SHAPES.values())


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_example_fits_its_shape(event_type: EventType) -> None:
    assert fits(event_type, PAYLOAD_EXAMPLES[event_type])


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_shape_has_no_room_for_the_text_of_an_answer(event_type: EventType) -> None:
    assert not fits(event_type, PAYLOAD_EXAMPLES[event_type] | {"text": "42"})


@pytest.mark.parametrize(
    ("event_type", "payload"),
    [
        ("QUESTION_VIEWED", {"pos": 0}),
        ("QUESTION_VIEWED", {}),
        ("ANSWER_SELECTED", {"pos": 1, "choice": -1}),
        ("ANSWER_SELECTED", {"pos": 1, "choice": "B"}),
        ("MARK_FOR_REVIEW_TOGGLED", {"pos": 1, "marked": 1}),
        ("PAUSE_BLUR", {"state": "away"}),
    ],
    ids=["position-0", "nothing", "choice-below-0", "choice-as-text", "marked-as-number", "unknown-state"],
)
def test_what_is_no_position_or_index_does_not_fit(event_type: EventType, payload: dict[str, Any]) -> None:
    assert not fits(event_type, payload)


def test_a_blur_need_not_say_how_long_it_lasts() -> None:
    assert fits("PAUSE_BLUR", {"state": "blur"})
