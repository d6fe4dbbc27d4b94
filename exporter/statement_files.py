"""Files of xAPI statements, a line each."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from attemptlog.exporter.rows import IDENTITY, Chunk
from attemptlog.exporter.statements import Statements

LINES_AT_A_TIME = 2000  # of about 1.5 kB, and some 10 kB each once they are parsed
ONLY_ID = pa.schema([IDENTITY.field("id")])
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
    """See directory.Format."""

    name = "xAPI statements"
    suffix = ".jsonl"

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def open(self, path: Path, schema: Any) -> StatementWriter:
        """See Opens.open."""
        return StatementWriter(path, self._statements)

    def read(self, path: Path, columns: list[str]) -> Iterator[Chunk]:
        """See Format.read."""
        hash_key = self._statements.extension("row_hash")
        for lines in _lines(path):
            statements = [orjson.loads(line) for line in lines]
            ids = [statement["id"] for statement in statements]
            hashes = [int(statement["context"]["extensions"][hash_key]) for statement in statements]
            yield pa.RecordBatch.from_arrays([pa.array(ids), pa.array(hashes, pa.int64())], schema=IDENTITY).select(
                columns
            )

    def ids_between(self, path: Path, low: str, high: str) -> Iterator[Chunk]:
        """See Format.ids_between."""
        for lines in _lines(path):
            ids = [each for each in map(id_of, lines) if low <= each <= high]
            yield pa.RecordBatch.from_pydict({"id": ids}, schema=ONLY_ID)


def _lines(path: Path) -> Iterator[list[bytes]]:
    with path.open("rb") as file:
        while lines := list(islice(file, LINES_AT_A_TIME)):
            yield lines


def id_of(line: bytes) -> str:
    """Return the id of a statement."""
    if line.startswith(ID_COMES_FIRST):
        return line[ID].decode()
    return str(orjson.loads(line)["id"])  # somebody has written the file anew
