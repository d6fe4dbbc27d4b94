"""Who does what is to be remembered."""

from typing import Annotated

import typer

from attemptlog.event_store.accesses import Looker
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
