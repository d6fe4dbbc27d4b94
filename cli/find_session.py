"""`attemptlog sessions find`: whose session, or who, stands in the gateway's log as a pseudonym."""

from typing import Annotated
from uuid import UUID

import typer

from attemptlog.cli.console import out, print_json
from attemptlog.cli.who import ByOption, WhyOption, looker, note
from attemptlog.event_store.pseudonym_search import find
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.pseudonyms import pseudonyms_of
from attemptlog.runtime.settings import OperatorSettings


def find_session(
    pseudonym: Annotated[UUID, typer.Argument(metavar="PSEUDONYM", help="As it stands in the log.")],
    by: ByOption = None,
    why: WhyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which session or person of the platform's a pseudonym in a log stands for; wants ATTEMPTLOG_PSEUDONYM_KEY.

    All sessions are looked through, which takes a while where there are millions.
    """
    settings = OperatorSettings()
    pseudonyms = pseudonyms_of(settings.pseudonym_key)
    if pseudonyms is None:
        raise OperatorError("ATTEMPTLOG_PSEUDONYM_KEY is not set: set it to the gateway's, or nobody can tell.")
    found = find(settings.database, pseudonyms, pseudonym)
    if found is None:
        raise OperatorError("It stands for no session here, nor for anybody who has one: is the key the gateway's?")
    user, session = found
    note(settings, looker("sessions find", by, why), user=user, session=session)
    if as_json:
        print_json({"user_id": user, "session_id": session})
    else:
        out.print(f"session {session} of user {user}" if session else f"user {user}", soft_wrap=True)
