"""The HTTP API of the session service."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from examples.exam_platform.sessions.attempts import UNNAMED, Attempts
from examples.exam_platform.sessions.models import (
    Answer,
    AnswerBody,
    BeginBody,
    Candidate,
    Config,
    Events,
    Exam,
    LoginBody,
    Review,
    Session,
    Submitted,
)
from examples.exam_platform.sessions.problems import OtherSite
from examples.exam_platform.sessions.services import Services, services
from examples.exam_platform.sessions.tokens import COOKIE


async def _services(request: Request) -> Services:
    return services(request)


async def _attempts(request: Request) -> Attempts:
    return services(request).attempts


async def _user(request: Request) -> UUID:
    return services(request).tokens.user_of(request.cookies.get(COOKIE))


async def _own_pages_only(request: Request) -> None:
    """SameSite keeps other sites out; this, other ports of the same host. Browsers send it, other programs need not."""
    if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        raise OtherSite("only the platform's own pages may ask this")


ServicesDep = Annotated[Services, Depends(_services)]
AttemptsDep = Annotated[Attempts, Depends(_attempts)]
UserDep = Annotated[UUID, Depends(_user)]

router = APIRouter()
api = APIRouter(prefix="/v1", dependencies=[Depends(_own_pages_only)])


@api.post("/login")
async def login(body: LoginBody, response: Response, of: ServicesDep) -> Candidate:
    """Let a guest in: each login is a new candidate, so nobody can become somebody else."""
    candidate = await of.candidates.add(body.name)
    of.tokens.give(candidate.user_id, response)
    return candidate


@api.get("/me")
async def me(user_id: UserDep, of: ServicesDep) -> Candidate:
    """Say who is logged in."""
    return await of.candidates.find(user_id)


@api.get("/config")
async def config(of: ServicesDep) -> Config:
    """Say where a page sends its events."""
    return of.config


@api.get("/exams")
async def exams(_: UserDep, attempts: AttemptsDep) -> list[Exam]:
    """List the exams that can be sat."""
    return await attempts.exams()


@api.post("/sessions", status_code=HTTPStatus.CREATED)
async def begin(body: BeginBody, user_id: UserDep, attempts: AttemptsDep) -> Session:
    """Begin a session: SESSION_CREATED."""
    return await attempts.begin(user_id, body.exam_id)


@api.get("/sessions/{session_id}")
async def read(session_id: UUID, user_id: UserDep, attempts: AttemptsDep) -> Session:
    """Return a session with its questions."""
    return await attempts.read(session_id, user_id)


@api.post("/sessions/{session_id}/answer")
async def answer(session_id: UUID, body: AnswerBody, user_id: UserDep, attempts: AttemptsDep) -> Answer:
    """Keep an answer or a mark: ANSWER_SELECTED, ANSWER_CHANGED, MARK_FOR_REVIEW_TOGGLED."""
    return await attempts.answer(session_id, user_id, body)


@api.post("/sessions/{session_id}/submit")
async def submit(session_id: UUID, user_id: UserDep, attempts: AttemptsDep) -> Submitted:
    """Hand in: SESSION_SUBMITTED. Again, the answer is the same and nothing happens."""
    return await attempts.submit(session_id, user_id)


@api.get("/sessions/{session_id}/review")
async def review(session_id: UUID, user_id: UserDep, attempts: AttemptsDep, opening: UUID = UNNAMED) -> Review:
    """Look over all questions: REVIEW_OPENED, once for each opening that the page names and once for the result."""
    return await attempts.review(session_id, user_id, opening)


@api.get("/sessions/{session_id}/events")
async def events(session_id: UUID, user_id: UserDep, attempts: AttemptsDep) -> Events:
    """Show what has arrived in attempt_events."""
    return await attempts.stored_events(session_id, user_id)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process serves; 200 whatever else is away."""
    return {"status": "ok"}


@router.get("/readyz", responses={HTTPStatus.SERVICE_UNAVAILABLE: {"description": "PostgreSQL is away."}})
async def readyz(of: ServicesDep) -> dict[str, bool]:
    """Say whether sessions can be served; without Kafka they can."""
    async with of.pool.connection():
        return {"database": True}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(of: ServicesDep) -> Response:
    """Return the event logger's metrics in Prometheus' text format."""
    return Response(generate_latest(of.registry), media_type=CONTENT_TYPE_LATEST)
