"""What is told about a session: counts, positions from 1 and choices from 0, never the text of a question or a name."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from attemptlog.schemas import EventType
from examples.exam_platform.sessions.rows import Item


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that is to be logged."""

    event_type: EventType
    payload: dict[str, int]
    question_id: UUID | None = None


def created(items: int) -> Happening:
    """An attempt at an exam of `items` questions begins."""
    return Happening("SESSION_CREATED", {"items": items})


def submitted(answered: int) -> Happening:
    """The candidate hands in."""
    return Happening("SESSION_SUBMITTED", {"answered": answered})


def expired(answered: int) -> Happening:
    """The time is up."""
    return Happening("SESSION_EXPIRED", {"answered": answered})


def review_opened(marked: int) -> Happening:
    """The candidate looks over all questions, `marked` of them marked for it."""
    return Happening("REVIEW_OPENED", {"marked": marked})


def changes(before: Item, after: Item) -> Iterator[Happening]:
    """What a candidate did to a question."""
    at = {"pos": after.pos}
    if after.choice is not None and before.choice is None:
        yield Happening("ANSWER_SELECTED", at | {"choice": after.choice}, after.id)
    elif after.choice is not None and before.choice is not None and after.choice != before.choice:
        payload = at | {"choice": after.choice, "prev_choice": before.choice}
        yield Happening("ANSWER_CHANGED", payload, after.id)
    if after.marked != before.marked:
        yield Happening("MARK_FOR_REVIEW_TOGGLED", at | {"marked": after.marked}, after.id)
