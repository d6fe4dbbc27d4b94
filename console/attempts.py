"""What is said of one session, for its candidate, its exam's examiners and auditors. Who looks is written down."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from fastapi import Response

from attemptlog.console.guard import ViewerDep, api_router, only
from attemptlog.console.models import Attempt, AttemptSummary
from attemptlog.console.problems import NotFound
from attemptlog.console.queries import ReasonDep
from attemptlog.console.services import Services, ServicesDep
from attemptlog.console.timeline_csv import as_csv
from attemptlog.console.verdict import verdict
from attemptlog.event_store import attempts
from attemptlog.event_store.looks import note_look
from attemptlog.event_store.viewing import Viewer

router = api_router()

FOR_SESSIONS = only("candidate", "examiner", "auditor")

# What session_indicators says beside a figure under one reason for several.
REASONS = {
    "actions_reason": "counts_reason",
    "visits_reason": "counts_reason",
    "absences_reason": "counts_reason",
}


@router.get("/api/sessions/{session_id}", dependencies=FOR_SESSIONS)
async def attempt(session_id: UUID, viewer: ViewerDep, of: ServicesDep, why: ReasonDep) -> Attempt:
    """Say what the events say of a session."""
    return await _attempt(session_id, viewer, of, why)


@router.get("/api/sessions/{session_id}/timeline.csv", dependencies=FOR_SESSIONS, response_class=Response)
async def timeline_csv(session_id: UUID, viewer: ViewerDep, of: ServicesDep, why: ReasonDep) -> Response:
    """Say the same as a table for a spreadsheet, with the verdict on top."""
    found = await _attempt(session_id, viewer, of, why)
    headers = {"content-disposition": f'attachment; filename="attempt-{session_id}.csv"'}
    return Response(as_csv(found), media_type="text/csv; charset=utf-8", headers=headers)


async def _attempt(session_id: UUID, viewer: Viewer, of: Services, why: str | None) -> Attempt:
    async with of.reader.writing(viewer) as writing:
        is_there = await note_look(writing, viewer, session_id, why, of.pseudonyms)
    if not is_there:
        raise NotFound
    async with of.reader.looking(viewer) as looking:
        found = await attempts.read_attempt(looking, session_id)
    if found is None:  # purged meanwhile
        raise NotFound
    return _told(found)


def _told(found: attempts.Attempt) -> Attempt:
    summary = _summary(found)
    return Attempt.model_validate(
        {
            **found.session,
            "summary": summary,
            "questions": [{**row, "question_id": str(row["question_id"])} for row in found.questions],
            "absences": found.absences,
            "lines": [asdict(line) | {"detail": line.payload} for line in found.lines],
            "more_lines": found.more_lines,
            "verdict": verdict(summary),
        }
    )


def _summary(found: attempts.Attempt) -> AttemptSummary:
    if found.log is None or found.indicators is None:
        return _without_events(found.open_letters)
    told = {**found.indicators, **found.log}
    return AttemptSummary.model_validate(told | {name: told[of] for name, of in REASONS.items()})


def _without_events(letters: int) -> AttemptSummary:
    """Return what is said of a session of which nothing but dead letters is there."""
    reasons = {name: "dead_letter" for name in AttemptSummary.model_fields if name.endswith("_reason")}
    counts: dict[str, Any] = {"events": 0, "lost": 0, "dropped": 0, "dead_letters": letters}
    told = dict.fromkeys(AttemptSummary.model_fields) | reasons | counts
    return AttemptSummary.model_validate(told | {"completion": "unknown", "is_complete": False})
