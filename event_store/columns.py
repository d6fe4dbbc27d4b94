"""A record's value as a line of COPY: the fields of an envelope, as text, in the order of Columns.

What a publisher of ours sends with a flat payload, one regular expression checks as strictly as the codec would, and
cuts out as it is, for many values at once and in machine code: that is a tenth of the codec's cost, which is for
everything else. It never goes back over what it has matched (`++`, `?+`, `(?>`), because no part of the pattern could
match less and the whole still fit.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import orjson
import pcre2

from attemptlog.schemas import EVENT_TYPES, MAX_PAYLOAD_BYTES, PAGE_DROP_REASONS, SOURCES, Envelope, decode

NULL = b""  # no column holds an empty text

Owner = bytes  # the ids of a session and of its user, with a tab between them
Line = bytes  # the columns with tabs between them, escaped for COPY's text format, without the end of the line


class Columns(NamedTuple):
    """A line taken apart; NULL is a null. What has a fixed width is first: see `owner_of` and `id_of`."""

    session_id: bytes
    user_id: bytes
    id: bytes
    event_version: bytes
    event_type: bytes
    event_ts: bytes
    client_ts: bytes
    seq: bytes
    question_id: bytes
    source: bytes
    payload_json: bytes
    stream_id: bytes
    sent_at: bytes
    dropped: bytes


ID_LENGTH = 36
OWNER_LENGTH = 2 * ID_LENGTH + 1
ID = slice(OWNER_LENGTH + 1, OWNER_LENGTH + 1 + ID_LENGTH)


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
_USUAL = (
    rf'\{{"id":"(?<id>{_UUID})","event_version":(?<event_version>1),"event_type":"(?<event_type>{_one_of(EVENT_TYPES)})",'
    rf'"event_ts":"(?<event_ts>{_TIME})","client_ts":(?:null|"(?<client_ts>{_TIME})"),"seq":(?:null|(?<seq>{_COUNT})),'
    rf'"session_id":"(?<session_id>{_UUID})","user_id":"(?<user_id>{_UUID})",'
    rf'"question_id":(?:null|"(?<question_id>{_UUID})"),"source":(?:null|"(?<source>{_one_of(SOURCES)})"),'
    rf'"payload_json":(?<payload_json>{_FLAT_OBJECT})(?:,"stream_id":"(?<stream_id>{_UUID})")?+'
    rf'(?:,"sent_at":"(?<sent_at>{_TIME})")?+(?:,"dropped":(?<dropped>\{{{_DROP}(?:,{_DROP})*+\}}))?+\}}'
)
# Whatever a line is, it becomes one: without any field, unless it is a usual value, so that none is left as it came.
_VALUE = pcre2.compile(rf"(?:{_USUAL}|[^\n]*+)\n".encode(), jit=False)
with contextlib.suppress(pcre2.LibraryError):  # where a process may make no machine code, it takes longer
    _VALUE.jit_compile()
_LINE = b"\t".join(b"$%d" % _VALUE.groupindex[name] for name in Columns._fields) + b"\n"
_UNUSUAL = b"\t".join([NULL] * len(Columns._fields))
AT_ONCE = 200  # values that are joined: 100 KB, or ten times that at the most, which stay in a processor's cache


def usual_lines(values: Sequence[bytes | None]) -> Iterator[Line | None]:
    """Yield the line of each value that is a usual one, and None for one that `line_of` has to look at."""
    for start in range(0, len(values), AT_ONCE):
        yield from _usual_lines(values[start : start + AT_ONCE])


def _usual_lines(values: Sequence[bytes | None]) -> Iterable[Line | None]:
    # a whole value of that size cannot have too large a payload
    text = b"".join([b"\n" if it is None or len(it) > MAX_PAYLOAD_BYTES else it + b"\n" for it in values])
    if text.count(b"\n") > len(values):
        return [None] * len(values)
    try:
        lines = _VALUE.sub(_LINE, text).split(b"\n")
    except pcre2.LibraryError:  # one of its own limits
        return [None] * len(values)
    return [None if line == _UNUSUAL else line for line in lines[:-1]]


def line_of(value: bytes | None) -> Line:
    """Return the line of the envelope in a Kafka value; raise Undecodable."""
    return b"\t".join(_columns_of_envelope(decode(value)))


def columns_of(line: Line) -> Columns:
    """Take a line apart."""
    return Columns(*line.split(b"\t"))


def owner_of(line: Line) -> Owner:
    """Return whose event it is."""
    return line[:OWNER_LENGTH]


def id_of(line: Line) -> bytes:
    """Return that column of a line."""
    return line[ID]


def ids_of(owner: Owner) -> tuple[bytes, bytes]:
    """Take an owner apart, into the session and the user."""
    return owner[:ID_LENGTH], owner[ID_LENGTH + 1 :]


def event_ts_of(line: Line) -> bytes:
    """Return that column of a line."""
    return line.split(b"\t", 6)[5]


def _columns_of_envelope(it: Envelope) -> Columns:
    return Columns(
        it.session_id.encode(),
        it.user_id.encode(),
        it.id.encode(),
        b"%d" % it.event_version,
        it.event_type.encode(),
        _time(it.event_ts),
        NULL if it.client_ts is None else _time(it.client_ts),
        NULL if it.seq is None else b"%d" % it.seq,
        NULL if it.question_id is None else it.question_id.encode(),
        NULL if it.source is None else it.source.encode(),
        it.payload_json.replace(b"\\", b"\\\\"),
        NULL if it.stream_id is None else it.stream_id.encode(),
        NULL if it.sent_at is None else _time(it.sent_at),
        NULL if it.dropped is None else orjson.dumps(it.dropped),
    )


def _time(moment: datetime) -> bytes:
    return moment.astimezone(UTC).isoformat().encode()
