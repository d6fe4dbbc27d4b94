"""From what is stored to what a candidate sees, and back. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from examples.exam_platform.sessions.models import AnswerBody, ExamTitle, Question, Review, ReviewedQuestion, Session
from examples.exam_platform.sessions.problems import BadRequest
from examples.exam_platform.sessions.rows import Attempt, Item


def session(attempt: Attempt, items: Iterable[Item]) -> Session:
    """Return a session without the right answers."""
    return Session(
        id=attempt.id,
        exam=ExamTitle(id=attempt.exam_id, title=attempt.title),
        state=attempt.state,
        expires_at=attempt.expires_at,
        server_now=attempt.server_now,
        questions=[Question.model_validate(item) for item in items],
    )


def review(attempt: Attempt, items: Sequence[Item]) -> Review:
    """Return all questions at a glance, with the right answers and the score once the session is over."""
    is_over = attempt.state != "open"
    return Review(
        state=attempt.state,
        answered=attempt.answered,
        marked=attempt.marked,
        items=len(items),
        score=sum(item.choice == item.correct for item in items) if is_over else None,
        questions=[_reviewed(item, is_over) for item in items],
    )


def _reviewed(item: Item, is_over: bool) -> ReviewedQuestion:
    seen = Question.model_validate(item).model_dump()
    return ReviewedQuestion(**seen, correct=item.correct if is_over else None)


def answered(items: Iterable[Item], change: AnswerBody) -> tuple[Item, Item]:
    """Return the question that a change names, as it is and as it is to be; raise BadRequest."""
    before = next((item for item in items if item.id == change.question_id), None)
    if before is None:
        raise BadRequest("question_id: the exam has no such question")
    if change.choice is not None and change.choice >= len(before.choices):
        raise BadRequest(f"choice: the question has {len(before.choices)} choices, counted from 0")
    choice = before.choice if change.choice is None else change.choice
    marked = before.marked if change.marked is None else change.marked
    return before, replace(before, choice=choice, marked=marked)
