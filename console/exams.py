"""What is said of exams, for examiners and auditors."""

from datetime import datetime
from typing import Annotated, get_args
from uuid import UUID

from fastapi import Query

from attemptlog.console.guard import ViewerDep, api_router, only
from attemptlog.console.models import Completion, Exam, ExamInList, SessionInList, SessionPage
from attemptlog.console.problems import Invalid, NotFound
from attemptlog.console.queries import BehindDep, ChosenDep, Words
from attemptlog.console.services import ServicesDep
from attemptlog.event_store.exam_page import PAGE_OF_SESSIONS, ExamPage, read_exam, read_exams, read_sessions

router = api_router()

FOR_EXAMS = only("examiner", "auditor")


@router.get("/api/exams", dependencies=FOR_EXAMS)
async def exams(viewer: ViewerDep, of: ServicesDep) -> list[ExamInList]:
    """List the exams, newest activity first."""
    async with of.reader.looking(viewer) as looking:
        return [ExamInList.model_validate(row) for row in await read_exams(looking)]


@router.get("/api/exams/{exam_id}", dependencies=FOR_EXAMS)
async def exam(viewer: ViewerDep, of: ServicesDep, chosen: ChosenDep) -> Exam:
    """Say what the events say of an exam, or of some of its sessions."""
    async with of.reader.looking(viewer) as looking:
        found = await read_exam(looking, chosen)
    if found is None:
        raise NotFound
    return _exam(chosen.exam, found)


@router.get("/api/exams/{exam_id}/sessions", dependencies=FOR_EXAMS)
async def sessions(
    viewer: ViewerDep,
    of: ServicesDep,
    chosen: ChosenDep,
    behind: BehindDep,
    after: Annotated[Words | None, Query()] = None,
) -> SessionPage:
    """List the sessions behind a figure, by when they began."""
    async with of.reader.looking(viewer) as looking:
        found = await read_sessions(looking, chosen, behind, _place(after))
    if found is None:
        raise NotFound
    total, rows = found
    page = [SessionInList.model_validate(row) for row in rows[:PAGE_OF_SESSIONS]]
    return SessionPage(total=total, sessions=page, next=_next(page) if len(rows) > PAGE_OF_SESSIONS else None)


def _exam(exam_id: UUID, found: ExamPage) -> Exam:
    return Exam.model_validate(
        {
            "exam_id": str(exam_id),
            "title": found.about["title"],
            "freshness": found.about,
            "groups": found.groups,
            "coverage": found.coverage,
            "completion": dict.fromkeys(get_args(Completion), 0) | found.coverage["completion"],
            "questions": [_with_text_ids(row) for row in found.questions],
            "navigation": [_with_text_ids(row) for row in found.navigation],
            "times": found.coverage["times"],
            "effort": found.effort,
        }
    )


def _with_text_ids(row: dict[str, object]) -> dict[str, object]:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}


def _next(page: list[SessionInList]) -> str:
    last = page[-1]
    return f"{last.began_at.isoformat() if last.began_at else ''}_{last.session_id}"


def _place(after: str | None) -> tuple[datetime, str] | None:
    if not after:
        return None
    began_at, _, session_id = after.partition("_")
    try:
        place = datetime.fromisoformat(began_at), str(UUID(session_id))
    except ValueError:
        raise Invalid("after: take it from `next` of the page before") from None
    if place[0].tzinfo is None:
        raise Invalid("after: take it from `next` of the page before")
    return place
