"""Sessions from a recorded log: a CSV, gzip allowed, with one row per event and a session's rows side by side."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Annotated, TextIO
from uuid import uuid5

import orjson
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from attemptlog.runtime.errors import OperatorError
from attemptlog.schemas import EventType, Source
from attemptlog.schemas.codec import explain
from attemptlog.schemas.fields import MAX_SEQ, compact
from attemptlog.simulation.sitting import Event, Roster, Sitting, namespace

COLUMNS = (
    "session_id",
    "user_id",
    "seq",
    "event_type",
    "question_id",
    "client_offset_ms",
    "source",
    "payload",
    "basis",
)
MAX_OFFSET_MS = 10 * 365 * 24 * 3_600_000  # ten years: beyond it the offset is no offset


def _payload(text: object) -> bytes:
    try:
        return compact(orjson.loads(str(text)))
    except orjson.JSONDecodeError as error:
        raise PydanticCustomError("payload_invalid", "must be a JSON object") from error


class LogLine(BaseModel):
    """One line of the file; ids are the log's own names."""

    session_id: Annotated[str, Field(min_length=1)]
    user_id: Annotated[str, Field(min_length=1)]
    seq: Annotated[int, Field(ge=0, le=MAX_SEQ)]
    event_type: EventType
    question_id: str
    client_offset_ms: Annotated[int, Field(ge=-MAX_OFFSET_MS, le=MAX_OFFSET_MS)]
    source: Source
    payload: Annotated[bytes, BeforeValidator(_payload)]


class RecordedLog:
    """A recorded log whose names become UUIDs under a seed: the same file is the same events again."""

    def __init__(self, path: Path, seed: str) -> None:
        self._path = path
        self._uuid = lru_cache(maxsize=65_536)(lambda name: str(uuid5(namespace(seed), name)))

    def roster(self) -> Roster:
        """Read the whole file and return who sits in it; raise OperatorError with the line that is wrong."""
        roster = Roster(exam_id=self._uuid("exam"))
        for line, row in self._rows():
            user_id = self._uuid(f"user:{row.user_id}")
            if roster.sessions.setdefault(self._session_id(row), user_id) != user_id:
                raise self._wrong(line, f"session {row.session_id} belongs to another user in an earlier line")
            if row.question_id:
                roster.question_ids.add(self._question_id(row.question_id))
        if not roster.sessions:
            raise OperatorError(f"{self._path} holds no events.")
        return roster

    def sittings(self) -> Iterator[Sitting]:
        """Stream the file, one stretch of lines of the same session at a time."""
        rows = (row for _, row in self._rows())
        for _, stretch in groupby(rows, attrgetter("session_id", "source")):
            first, *rest = stretch
            events = [self._event(row) for row in (first, *rest)]
            yield Sitting(self._session_id(first), self._uuid(f"user:{first.user_id}"), first.source, events)

    def _event(self, row: LogLine) -> Event:
        question_id = self._question_id(row.question_id) if row.question_id else None
        return Event(row.seq, row.event_type, question_id, row.client_offset_ms, row.payload)

    def _session_id(self, row: LogLine) -> str:
        return self._uuid(f"session:{row.session_id}")

    def _question_id(self, name: str) -> str:
        return self._uuid(f"question:{name}")

    def _rows(self) -> Iterator[tuple[int, LogLine]]:
        with _open(self._path) as file:
            reader = csv.reader(file, strict=True)
            try:
                self._check_header(next(reader, []))
                for values in reader:
                    yield reader.line_num, self._row(reader.line_num, values)
            except csv.Error as error:
                raise self._wrong(reader.line_num, str(error)) from error

    def _check_header(self, header: list[str]) -> None:
        if tuple(header) != COLUMNS:
            raise self._wrong(1, f"the header must be {','.join(COLUMNS)}")

    def _row(self, line: int, values: list[str]) -> LogLine:
        if len(values) != len(COLUMNS):
            raise self._wrong(line, f"{len(values)} columns instead of {len(COLUMNS)}")
        try:
            return LogLine.model_validate(dict(zip(COLUMNS, values, strict=True)))
        except ValidationError as error:
            raise self._wrong(line, explain(error)) from error

    def _wrong(self, line: int, what: str) -> OperatorError:
        return OperatorError(f"{self._path}, line {line}: {what}.")


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise OperatorError(f"{path} is not a whole gzip file: copy it again.") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path} is not UTF-8 text.") from error
