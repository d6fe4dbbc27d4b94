"""What a command prints: data on stdout, everything about the work on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from rich.console import Console
from rich.table import Table

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def working_on(what: str) -> Iterator[None]:
    """Say on stderr what takes a while: with a spinner on a terminal, as a line elsewhere."""
    if err.is_terminal:
        with err.status(f"{what} …"):
            yield
    else:
        err.print(f"{what} …", soft_wrap=True)
        yield


def warn(what: str) -> None:
    """Print on stderr what is not as it was wanted."""
    err.print(what, style="yellow", markup=False, soft_wrap=True)


def print_json(data: object) -> None:
    """Print data for a program to read."""
    print(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())


def print_error(message: str) -> None:
    """Print one red sentence on stderr; `message` is taken literally."""
    err.print(message, style="bold red", markup=False, soft_wrap=True)


def fact_table(title: str, facts: dict[str, str]) -> Table:
    """Return a table of names and values."""
    table = Table(title=title, show_header=False, title_justify="left")
    for name, value in facts.items():
        table.add_row(name, value)
    table.columns[-1].justify = "right"
    return table
