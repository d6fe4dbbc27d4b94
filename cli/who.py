"""Who does what is to be remembered."""

import getpass
import os
from typing import Annotated

import typer

ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it.", show_default="the user of this machine")
]


def os_user() -> str:
    """Return the name of this machine's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"user {os.getuid()}"
