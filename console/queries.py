"""What the addresses of the API may ask for: each is checked before the database hears of it."""

from datetime import UTC, datetime
from typing import Annotated, Literal, get_args
from uuid import UUID

from fastapi import Depends, Query
from pydantic import AfterValidator, Field, StringConstraints

from attemptlog.console.models import Completion
from attemptlog.console.problems import Invalid
from attemptlog.event_store.accesses import unfit
from attemptlog.event_store.exam_page import Behind, Chosen

# PostgreSQL has no character NUL.
Words = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]


def _in_utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]
OfExam = Literal["time", "effort_known", "effort_below_090"]
Figure = OfExam | Literal["viewed", "times", "rapid", "marked", "changed", "WR", "RW", "WW", "RR", "moved"]
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


async def _chosen(
    exam_id: UUID,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    to: Moment | None = None,
    group: Words | None = None,
) -> Chosen:
    """Which sessions of an exam are meant."""
    return Chosen(exam_id, since, to, group)


async def _behind(
    *,
    behind: Figure | None = None,
    question: UUID | None = None,
    to_question: UUID | None = None,
    completion: Completion | None = None,
    complete: bool | None = None,
    reason: Words | None = None,
    at_least_ms: Milliseconds | None = None,
    below_ms: Milliseconds | None = None,
) -> Behind:
    """Which of them are listed; raise Invalid for a figure of a question that is not named."""
    if behind not in (None, *get_args(OfExam)) and question is None:
        raise Invalid(f"behind={behind} is a figure of a question: name it in question=")
    if behind == "moved" and to_question is None:
        raise Invalid("behind=moved is of two questions: name the second one in to_question=")
    return Behind(behind, at_least_ms, below_ms, question, to_question, completion, complete, reason)


async def _reason(why: Words | None = None) -> str | None:
    """Why somebody looks; raise Invalid for what cannot be kept for good."""
    if why and (fault := unfit(why)):
        raise Invalid(f"why: the reason {fault}")
    return why or None


ChosenDep = Annotated[Chosen, Depends(_chosen)]
BehindDep = Annotated[Behind, Depends(_behind)]
ReasonDep = Annotated[str | None, Depends(_reason)]
