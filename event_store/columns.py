"""A record's value as a line of COPY: the fields of an envelope, as text, in the order of the table's columns.

What a publisher of ours sends with a flat payload, one regular expression checks as strictly as the codec would, and
cuts out as it is: that is a quarter of the codec's cost, which is for everything else. It never goes back over what it
has matched (`++`, `?+`, `(?>`), because no part of the pattern could match less and the whole still fit.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from attemptlog.schemas import EVENT_TYPES, MAX_PAYLOAD_BYTES, PAGE_DROP_REASONS, SOURCES, Envelope, decode

NULL = b"\\N"
ID_LENGTH = 36  # a line begins with the id

Owner = bytes  # the ids of a session and of its user, one after the other
Line = bytes  # the columns with tabs between them, escaped for COPY's text format, without the end of the line


class Columns(NamedTuple):
    """A line taken apart; NULL is a null."""

    id: bytes
    event_version: bytes
    event_type: bytes
    event_ts: bytes
    client_ts: bytes
    seq: bytes
    session_id: bytes
    user_id: bytes
    question_id: bytes
    source: bytes
    payload_json: bytes
    stream_id: bytes
    sent_at: bytes
    dropped: bytes


PAYLOAD = Columns._fields.index("payload_json")
SESSION, USER = map(Columns._fields.index, ("session_id", "user_id"))


def _one_of(names: tuple[str, ...]) -> str:
    return "|".join(names)


_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# The 29th of February is left to the codec.
_DAY = r"(?>(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_TIME = rf"[12]\d{{3}}-{_DAY}T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{{1,6}}+)?+(?:Z|\+00:00)"
_TEXT = r'"[ !#-\[\]-~]*+"'  # printable ASCII without quotes and backslashes
# 15 digits at most: a double holds them as they are written (IEEE 754); more are for the codec to look at
_NUMBER = r"-?+(?>0|[1-9]\d{0,14}+)(?:\.(?<!\d{10}\.)\d{1,6}+)?+"
_MEMBER = rf"{_TEXT}:(?>{_NUMBER}|{_TEXT}|true|false|null)"
_FLAT_OBJECT = rf"\{{(?:{_MEMBER}(?:,{_MEMBER})*+)?+\}}"
_COUNT = r"(?:0|[1-9]\d{0,8}+)"
_DROP = rf'"(?:{_one_of(PAGE_DROP_REASONS)})":{_COUNT}'
_USUAL = re.compile(
    rf'\{{"id":"({_UUID})","event_version":(1),"event_type":"({_one_of(EVENT_TYPES)})","event_ts":"({_TIME})",'
    rf'"client_ts":(?:null|"({_TIME})"),"seq":(?:null|({_COUNT})),"session_id":"({_UUID})","user_id":"({_UUID})",'
    rf'"question_id":(?:null|"({_UUID})"),"source":(?:null|"({_one_of(SOURCES)})"),"payload_json":({_FLAT_OBJECT})'
    rf'(?:,"stream_id":"({_UUID})")?+(?:,"sent_at":"({_TIME})")?+(?:,"dropped":(\{{{_DROP}(?:,{_DROP})*+\}}))?+\}}'.encode()
).fullmatch


def line_and_owner_of(value: bytes | None) -> tuple[Line, Owner]:
    """Return the line of the envelope in a Kafka value, and whose it is; raise Undecodable."""
    if value is not None and (usual := _USUAL(value)) is not None:
        fields = usual.groups(NULL)
        if len(fields[PAYLOAD]) <= MAX_PAYLOAD_BYTES:
            return b"\t".join(fields), fields[SESSION] + fields[USER]
    columns = _columns_of_envelope(decode(value))
    return b"\t".join(columns), columns.session_id + columns.user_id


def columns_of(line: Line) -> Columns:
    """Take a line apart."""
    return Columns(*line.split(b"\t"))


def ids_of(owner: Owner) -> tuple[bytes, bytes]:
    """Take an owner apart, into the session and the user."""
    return owner[:ID_LENGTH], owner[ID_LENGTH:]


def event_ts_of(line: Line) -> bytes:
    """Return that column of a line."""
    return line.split(b"\t", 4)[3]


def _columns_of_envelope(it: Envelope) -> Columns:
    return Columns(
        it.id.encode(),
        b"%d" % it.event_version,
        it.event_type.encode(),
        _time(it.event_ts),
        NULL if it.client_ts is None else _time(it.client_ts),
        NULL if it.seq is None else b"%d" % it.seq,
        it.session_id.encode(),
        it.user_id.encode(),
        NULL if it.question_id is None else it.question_id.encode(),
        NULL if it.source is None else it.source.encode(),
        it.payload_json.replace(b"\\", b"\\\\"),
        NULL if it.stream_id is None else it.stream_id.encode(),
        NULL if it.sent_at is None else _time(it.sent_at),
        NULL if it.dropped is None else orjson.dumps(it.dropped),
    )


def _time(moment: datetime) -> bytes:
    return moment.astimezone(UTC).isoformat().encode()
