"""Who does what is to be remembered."""

from typing import Annotated
from uuid import UUID

import typer

from attemptlog.event_store.accesses import Looker, note_access
from attemptlog.runtime.pseudonyms import pseudonyms_of
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.runtime.who import os_user

ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it.", show_default="the user of this machine")
]
WhyOption = Annotated[
    str | None, typer.Option("--why", metavar="TEXT", help="Why; it is kept with who looked, and names no id.")
]


def looker(command: str, by: str | None, why: str | None) -> Looker:
    """Return who looks at whose data with a command; raises OperatorError for words that cannot be kept."""
    return Looker(by or os_user(), command, why or None)


def note(
    settings: OperatorSettings, who: Looker, *, user: UUID | str | None = None, session: UUID | str | None = None
) -> None:
    """Write down who looks at whose data, before any of it is shown; see note_access."""
    note_access(settings.database, who, pseudonyms_of(settings.pseudonym_key), user=user, session=session)
