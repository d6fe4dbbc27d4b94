"""The way from the platform to attemptlog's console: a token that says who looks."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from examples.exam_platform.sessions.problems import NotFound
from examples.exam_platform.sessions.services import Services, services
from examples.exam_platform.sessions.tokens import COOKIE, Office

PLACE = r"^/[a-z0-9/-]*$"

router = APIRouter()


@router.get("/console", response_class=RedirectResponse)
async def console(
    request: Request,
    whose: Annotated[Office | Literal["candidate"], Query(alias="as")] = "candidate",
    to: Annotated[str, Query(pattern=PLACE, max_length=100)] = "/",
) -> RedirectResponse:
    """Send a browser to the console: a candidate as themselves, staff as who they say they are.

    That is for an example on somebody's own machine: a real platform knows who its staff are, and lists the exams that
    an examiner is responsible for. The token goes in the fragment, which no server is sent and no log keeps.
    """
    of = services(request)
    if of.console_url is None:
        raise NotFound("this platform has no console")
    fragment = urlencode({"token": await _token(of, request, whose), "to": to})
    return RedirectResponse(f"{of.console_url}/#{fragment}", status_code=303)


async def _token(of: Services, request: Request, whose: Office | Literal["candidate"]) -> str:
    now = datetime.now(UTC)
    if whose == "candidate":
        return of.tokens.issue(of.tokens.user_of(request.cookies.get(COOKIE)), now)
    exams: list[UUID] = [exam.id for exam in await of.attempts.exams()]
    return of.tokens.issue_to_staff(whose, exams, now)
