"""A timeline as a table for a spreadsheet, in which no cell is a formula. Pure."""

import csv
import io
from datetime import datetime
from typing import Any

import orjson

from attemptlog.console.models import Attempt, TimelineLine

COLUMNS = tuple(TimelineLine.model_fields)

BYTE_ORDER_MARK = "\ufeff"  # without it, Excel reads another encoding

# What spreadsheets begin a formula with, also in a cell that is quoted (OWASP, CSV Injection).
BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_csv(attempt: Attempt) -> bytes:
    """Return the file: what it is of and what the audit says, an empty line, and the timeline (RFC 4180)."""
    text = io.StringIO()
    write = csv.writer(text).writerow
    for name, value in _head(attempt):
        write([name, cell(value)])
    write([])
    write(COLUMNS)
    for line in attempt.lines:
        write([cell(getattr(line, column)) for column in COLUMNS])
    return (BYTE_ORDER_MARK + text.getvalue()).encode()


def _head(attempt: Attempt) -> list[tuple[str, Any]]:
    about = [
        ("session", attempt.session_id),
        ("candidate", attempt.user_id),
        ("exam", attempt.exam_id),
        ("exam title", attempt.exam_title),
        ("read at", attempt.read_at),
    ]
    left_out = [("lines left out", attempt.more_lines)] if attempt.more_lines else []
    return about + [("audit", sentence) for sentence in attempt.verdict.sentences] + left_out


def cell(value: Any) -> str:
    """Return the text of a cell, with an apostrophe in front of what would be a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    text = str(value)
    is_number = isinstance(value, int | float)
    return f"'{text}" if text.startswith(BEGINS_FORMULA) and not is_number else text
