"""A session and a token of one's own, to try a page with."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from attemptlog.runtime.settings import DEFAULT_GATEWAY, OperatorSettings
from attemptlog.runtime.transactions import open_transaction
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


async def new_session(settings: OperatorSettings, now: datetime) -> NewSession:
    """Insert a session with everything that it refers to, and mint its candidate's token."""
    user, session = str(uuid4()), str(uuid4())
    questions = [str(uuid4()) for _ in range(ITEMS)]
    mint = TokenMint(settings.signing_secret, settings.jwt_audience, settings.jwt_issuer)
    async with open_transaction(settings.database) as connection:
        await enrol(connection, Roster(str(uuid4()), set(questions), {session: user}))
    return NewSession(f"{settings.gateway_url or DEFAULT_GATEWAY}{PATH}", session, mint.mint(user, now), questions)
