"""`attemptlog sessions create`: a session and a token of one's own, to try a page with."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

import typer

from attemptlog.cli.console import out, print_json
from attemptlog.cli.postgres import open_transaction
from attemptlog.cli.settings import DEFAULT_GATEWAY, CliSettings
from attemptlog.simulation.browser import PATH
from attemptlog.simulation.enrolment import enrol
from attemptlog.simulation.sitting import Roster
from attemptlog.simulation.tokens import TokenMint

ITEMS = 8


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a page needs to send events: where to, of which session and questions, and as whom."""

    endpoint: str
    session_id: str
    token: str
    question_ids: list[str]

    def as_data(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        questions = [{"id": question, "pos": pos} for pos, question in enumerate(self.question_ids, 1)]
        return {
            "endpoint": self.endpoint,
            "session_id": self.session_id,
            "token": self.token,
            "questions": questions,
        }


def create(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Make an exam of 8 questions, a candidate, a session and a token for it: to try a page with, not for candidates.

    The token is signed with ATTEMPTLOG_JWT_SECRET and is good for 12 hours; whoever has it can send events of it.
    """
    session = asyncio.run(new_session(CliSettings(), datetime.now(UTC)))
    if as_json:
        print_json(session.as_data())
        return
    for name, value in _facts(session).items():
        out.print(f"[bold]{name:<11}[/]{value}", soft_wrap=True)


async def new_session(settings: CliSettings, now: datetime) -> NewSession:
    """Insert a session with everything that it refers to, and mint its candidate's token."""
    user, session = str(uuid4()), str(uuid4())
    questions = [str(uuid4()) for _ in range(ITEMS)]
    mint = TokenMint(settings.signing_secret, settings.jwt_audience, settings.jwt_issuer)
    async with open_transaction(settings.database) as connection:
        await enrol(connection, Roster(str(uuid4()), set(questions), {session: user}))
    return NewSession(f"{settings.gateway_url or DEFAULT_GATEWAY}{PATH}", session, mint.mint(user, now), questions)


def _facts(session: NewSession) -> dict[str, str]:
    return {
        "endpoint": session.endpoint,
        "session": session.session_id,
        "questions": " ".join(session.question_ids),
        "token": session.token,
    }
