"""`attemptlog sessions create`: a session and a token of one's own, to try a page with."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from attemptlog.cli.console import out, print_json
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.simulation.new_session import NewSession, new_session


def create(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Make an exam of 8 questions, a candidate, a session and a token for it: to try a page with, not for candidates.

    The token is signed with ATTEMPTLOG_JWT_SECRET and is good for 12 hours; whoever has it can send events of it.
    """
    session = asyncio.run(new_session(OperatorSettings(), datetime.now(UTC)))
    if as_json:
        print_json(session.as_data())
        return
    for name, value in _facts(session).items():
        out.print(f"[bold]{name:<11}[/]{value}", soft_wrap=True)


def _facts(session: NewSession) -> dict[str, str]:
    return {
        "endpoint": session.endpoint,
        "session": session.session_id,
        "questions": " ".join(session.question_ids),
        "token": session.token,
    }
