"""Places for xAPI statements, and statements read back as the rows that they were."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from attemptlog.exporter.rows import SCHEMA, TIMES
from attemptlog.exporter.statements import Statements
from attemptlog.exporter.xapi import XapiSettings, target_of
from attemptlog.schemas import EVENT_TYPES
from attemptlog.schemas.documents import envelope_schema
from tests.support.export import Place, chunk_of, traces_in
from tests.support.record_store import PASSWORD, USER, RunningStore

HOME_PAGE = "https://exam.example/"
BASE = "https://exam.example"
STATEMENTS = Statements(HOME_PAGE, BASE)
EXAM = "00000000-0000-4000-8000-000000000005"
EXAMPLES = {example["event_type"]: example for example in envelope_schema()["examples"]}


def example_row(event_type: str, payload: Any = None, **fields: Any) -> dict[str, Any]:
    """Return the row of the documents' example of a type."""
    example = EXAMPLES[event_type]
    payload = example["payload_json"] if payload is None else payload
    stored = {"dropped": None, "stored_at": example["event_ts"], "row_hash": -(2**63) + 1}
    row = {name: value for name, value in example.items() if name != "payload_json"} | stored
    times = {name: datetime.fromisoformat(row[name]) for name in ("event_ts", "client_ts", "sent_at", "stored_at")}
    return row | times | {"payload": json.dumps(payload)} | fields


def line(row: dict[str, Any]) -> bytes:
    """Return the statement of a row as it is sent."""
    schema = SCHEMA.append(pa.field("exam_id", pa.string())) if "exam_id" in row else SCHEMA
    [text] = STATEMENTS.of(chunk_of([row], schema))
    return text


def statement(row: dict[str, Any]) -> Any:
    """Return the statement of a row as whoever reads its JSON gets it."""
    return json.loads(line(row))


EVERY = [
    *(example_row(event_type) for event_type in EVENT_TYPES),
    *(example_row(event_type, exam_id=EXAM) for event_type in EVENT_TYPES),
    *(example_row(event_type, {}, question_id=None, client_ts=None, seq=None) for event_type in EVENT_TYPES),
    example_row("PAUSE_BLUR", {"state": "blur"}, question_id=EXAM, dropped='{"expired": 3}'),
]


def settings_of(directory: Path, **others: Any) -> XapiSettings:
    """Return settings by the names of XapiSettings without what they begin with."""
    given = {"directory": directory, "home_page": HOME_PAGE, **others}
    return XapiSettings(**{f"export_xapi_{name}": value for name, value in given.items()})


def settings_for(directory: Path, store: RunningStore) -> XapiSettings:
    return settings_of(directory, endpoint=store.endpoint, username=USER, password=PASSWORD)


@contextmanager
def statements_place(directory: Path) -> Iterator[Place]:
    """JSON lines in a directory."""
    root = directory / "statements"
    yield Place(
        lambda: target_of(settings_of(root)),
        lambda: rows_of(read_lines(root)),
        lambda *texts: traces_in(root, *texts),
        f"statements:{root}",
    )


@contextmanager
def store_place(directory: Path, store: RunningStore) -> Iterator[Place]:
    """A record store, which is emptied first."""
    store.empty()
    books = directory / "books"
    settings = settings_for(books, store)
    yield Place(
        lambda: target_of(settings),
        lambda: rows_of(store.statements()),
        lambda *texts: traces_in(books, *texts),
        can_be_counted=False,
    )


def read_lines(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in root.glob("day=*/*.jsonl") for line in path.read_text().splitlines()]


def rows_of(statements: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with every column that any of them has."""
    rows = [row_of(statement) for statement in statements]
    columns = dict.fromkeys(SCHEMA.names) | {name: None for row in rows for name in row}
    return [columns | row for row in rows]


def row_of(statement: dict[str, Any]) -> dict[str, Any]:
    context, subject = statement["context"], statement["object"]["id"]
    row = {key.removeprefix(f"{BASE}/xapi/extensions/"): value for key, value in context["extensions"].items()}
    row |= {name: json.dumps(row[name], ensure_ascii=False) for name in ("payload", "dropped") if name in row}
    row |= {
        "id": statement["id"],
        "event_ts": statement["timestamp"],
        "session_id": context["registration"],
        "user_id": statement["actor"]["account"]["name"],
        "row_hash": int(row["row_hash"]),
    }
    if subject.startswith(f"{BASE}/questions/"):
        row["question_id"] = subject.removeprefix(f"{BASE}/questions/")
    return row | {name: datetime.fromisoformat(row[name]) for name in TIMES if name in row}
