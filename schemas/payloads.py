"""The shape of each event type's payload: positions, indexes and durations, never the text of a question or an answer.

A convention for those who write events. The gateway checks a payload's size and that it is an object, not its keys.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from attemptlog.schemas.events import EventType

Count = Annotated[int, Field(ge=0)]
Position = Annotated[int, Field(ge=1)]  # as candidates count questions
Choice = Annotated[int, Field(ge=0)]  # as lists of choices are indexed
Milliseconds = Annotated[int, Field(ge=0)]


class _Payload(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]  # pydantic's way to say it


class SessionCreated(_Payload):
    """The attempt begins; how many questions there are."""

    items: Count


class SessionSubmitted(_Payload):
    """The candidate hands in; how many questions are answered."""

    answered: Count


class SessionExpired(_Payload):
    """The time is up before that; how many questions are answered."""

    answered: Count


class ReviewOpened(_Payload):
    """The overview before handing in; how many questions are marked."""

    marked: Count


class QuestionViewed(_Payload):
    """A question is on the screen; its position from 1."""

    pos: Position


class Navigated(_Payload):
    """To another question; positions from 1, and how long the one left was on the screen."""

    from_pos: Position
    to_pos: Position
    dwell_ms: NotRequired[Milliseconds]


class AnswerSelected(_Payload):
    """The first answer to a question; its position from 1, the choice from 0."""

    pos: Position
    choice: Choice


class AnswerChanged(AnswerSelected):
    """Another answer to it; the choice before, from 0."""

    prev_choice: Choice


class MarkForReviewToggled(_Payload):
    """A mark is set or taken away; the question's position from 1."""

    pos: Position
    marked: bool


class PauseBlur(_Payload):
    """The candidate is away, or back; how long that was, left out where nobody can say."""

    state: Literal["blur", "focus"]
    away_ms: NotRequired[Milliseconds]


PAYLOAD_SHAPES: Mapping[EventType, type] = MappingProxyType(
    {
        "SESSION_CREATED": SessionCreated,
        "SESSION_SUBMITTED": SessionSubmitted,
        "SESSION_EXPIRED": SessionExpired,
        "REVIEW_OPENED": ReviewOpened,
        "QUESTION_VIEWED": QuestionViewed,
        "NAVIGATE_NEXT": Navigated,
        "NAVIGATE_PREV": Navigated,
        "NAVIGATE_JUMP": Navigated,
        "ANSWER_SELECTED": AnswerSelected,
        "ANSWER_CHANGED": AnswerChanged,
        "MARK_FOR_REVIEW_TOGGLED": MarkForReviewToggled,
        "PAUSE_BLUR": PauseBlur,
    }
)
