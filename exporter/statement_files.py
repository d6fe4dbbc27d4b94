"""Files of xAPI statements, a line each."""

from collections.abc import Callable, Iterator
from itertools import compress, islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from attemptlog.exporter.formats import Mask
from attemptlog.exporter.rows import HELD, Chunk, DayTotal, total_of
from attemptlog.exporter.statements import Statements

LINES_AT_A_TIME = 2000  # of about 1.5 kB, and some 10 kB each once they are parsed
ONLY_ID = pa.schema([HELD.field("id")])
ID_COMES_FIRST = b'{"id":"'
ID = slice(len(ID_COMES_FIRST), len(ID_COMES_FIRST) + 36)


class StatementWriter:
    """See Writer."""

    def __init__(self, path: Path, statements: Statements) -> None:
        self._file = path.open("wb")
        self._statements = statements

    def write(self, chunk: Chunk) -> None:
        """Add rows."""
        self._file.writelines(b"%b\n" % line for line in self._statements.of(chunk))

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


class StatementLines:
    """See Format."""

    name = "xAPI statements"
    suffix = ".jsonl"

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def open(self, path: Path, schema: Any) -> StatementWriter:
        """See Opens.open."""
        return StatementWriter(path, self._statements)

    def read(self, path: Path, columns: list[str]) -> Iterator[Chunk]:
        """See Format.read."""
        for lines in _lines(path):
            yield self._held(lines).select(columns)

    def ids_between(self, path: Path, low: str, high: str) -> Iterator[Chunk]:
        """See Format.ids_between."""
        for lines in _lines(path):
            ids = [each for each in map(id_of, lines) if low <= each <= high]
            yield pa.RecordBatch.from_pydict({"id": ids}, schema=ONLY_ID)

    def copy(self, path: Path, to: Path, keeps: Callable[[Chunk], Mask]) -> DayTotal:
        """See Format.copy."""
        total = DayTotal()
        with to.open("wb") as file:
            for lines in _lines(path):
                held = self._held(lines)
                kept = keeps(held)
                file.writelines(compress(lines, kept.to_pylist()))
                total += total_of(held.filter(kept))
        return total

    def _held(self, lines: list[bytes]) -> Chunk:
        """Return what statements tell of the rows that they were, as rows.HELD."""
        hash_key = self._statements.extension("row_hash")
        statements = [orjson.loads(line) for line in lines]
        rows = [
            {
                "id": each["id"],
                "row_hash": int(each["context"]["extensions"][hash_key]),
                "session_id": each["context"]["registration"],
                "user_id": each["actor"]["account"]["name"],
            }
            for each in statements
        ]
        return pa.RecordBatch.from_pylist(rows, schema=HELD)


def _lines(path: Path) -> Iterator[list[bytes]]:
    with path.open("rb") as file:
        while lines := list(islice(file, LINES_AT_A_TIME)):
            yield lines


def id_of(line: bytes) -> str:
    """Return the id of a statement."""
    if line.startswith(ID_COMES_FIRST):
        return line[ID].decode()
    return str(orjson.loads(line)["id"])  # somebody has written the file anew
