"""What a command prints: data on stdout, everything about the work on stderr."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
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


@contextmanager
def counting(what: str, unit: str = "rows") -> Iterator[Callable[[int], None]]:
    """Show how many rows, or others, have come, on a terminal as they come; they are counted from any thread."""
    if not err.is_terminal:
        with working_on(what):
            yield lambda _: None
        return
    columns = TextColumn("{task.description} …"), TextColumn(f"{{task.completed:,}} {unit}"), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True) as shown_progress:
        task, lock = shown_progress.add_task(what, total=None), threading.Lock()

        def progress(rows: int) -> None:
            with lock:
                shown_progress.advance(task, rows)

        yield progress


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
