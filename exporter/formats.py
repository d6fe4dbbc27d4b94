"""What the files of a directory are, to whoever reads them or writes them anew."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from attemptlog.exporter.day_files import Opens
from attemptlog.exporter.errors import DataError
from attemptlog.exporter.rows import Chunk, DayTotal

Mask = Any
"""A pyarrow array of booleans, one a row."""


class Format(Opens, Protocol):
    """Whatever reads raises ValueError (as which Arrow and orjson tell it), KeyError or TypeError for no such file."""

    name: str

    def read(self, path: Path, columns: list[str]) -> Iterator[Chunk]:
        """Yield some columns of rows.HELD of every row."""

    def ids_between(self, path: Path, low: str, high: str) -> Iterator[Chunk]:
        """Yield the ids that are neither below `low` nor above `high`."""

    def copy(self, path: Path, to: Path, keeps: Callable[[Chunk], Mask]) -> DayTotal:
        """Make a file of the rows that are kept, with nothing in it of the others, and return what it holds.

        What is kept is as it was; `keeps` is asked with chunks that have the columns of pairs.PAIR.
        """


@contextmanager
def reading(form: Format, path: Path) -> Iterator[None]:
    """Raise DataError for a file that is none of the format."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read as {form.name}: put it back as it was") from error


def read(form: Format, path: Path, columns: list[str]) -> Iterator[Chunk]:
    """Yield some columns of rows.HELD of every row; raise DataError for a file that is none of the format."""
    with reading(form, path):
        yield from form.read(path, columns)
