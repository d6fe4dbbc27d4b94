"""JSON as text, right and wrong.

Words in @ are filled in when an example is sent, so that the examples do not depend on the identities of a run.
"""

import itertools
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hypothesis import strategies as st

from attemptlog.schemas import new_event_id
from tests.support.http import Exam

Text = st.SearchStrategy[str]
Fields = dict[str, str]  # JSON texts by name

WORDS = {"NaN", "Infinity", "-Infinity", "undefined", "True", "01", "1.", ".5", "+1", "0x1", "'a'", "", "//", "1_0"}
NUMBERS = {"-0", "1.0", "1e2", "1e999", "-1e999", "1e-999", "5e-324", "9" * 5000, "1" + "0" * 400, "9007199254740993"}
NUMBERS |= {str(2**power + one) for power in (31, 63, 64) for one in (-1, 0)} | {"-1", "-9223372036854775809"}
STRINGS = {r'"\ud800"', r'"\udc00\ud800"', r'"\ud83d\ude00"', r'"\u0000"', r'"\\u0000"', r'"\x"', '"\x00"', '"\n"', '"'}
STRINGS |= {'"\ufeff"', '"\u2028"', '"\x7f"', '"NaN"', '"\U0010ffff"', '""', '"true"', r'"\/"', r'"\\\u0000"'}
DEPTHS = (*range(190, 206), 254, 400, 700, 900)


@dataclass
class Words:
    """What stands for the words in @."""

    exam: Exam
    theirs: Exam
    one_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    seq: Iterator[int] = field(default_factory=lambda: itertools.count(1_000_000))

    def fill(self, text: bytes) -> bytes:
        return re.sub(rb"@([a-z ]+)@", lambda word: self._of(word[1].decode()).encode(), text, flags=re.IGNORECASE)

    def _of(self, word: str) -> str:
        match word:
            case "id":
                return new_event_id()
            case "seq":
                return str(next(self.seq))
        known = {
            "one id": self.one_id,
            "user": self.exam.user,
            "session": self.exam.session,
            "SESSION": self.exam.session.upper(),
            "question": self.exam.question,
            "their user": self.theirs.user,
            "their session": self.theirs.session,
            "their question": self.theirs.question,
        }
        return known.get(word, f"@{word}@")


def any_of(texts: set[str]) -> Text:
    return st.sampled_from(sorted(texts))


def nested(opening: str, closing: str) -> Text:
    return st.sampled_from(DEPTHS).map(lambda depth: opening * depth + "1" + closing * depth)


def array(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def members(pairs: list[tuple[str, str]]) -> str:
    """Return an object with the members in this order, equal names and all."""
    return f"{{{','.join(f'{name}:{value}' for name, value in pairs)}}}"


def json_object(fields: Mapping[str, str]) -> str:
    return members([(json.dumps(name), value) for name, value in fields.items()])


strings = any_of(STRINGS) | st.text().map(json.dumps) | st.text().map(lambda text: json.dumps(text, ensure_ascii=False))
numbers = any_of(NUMBERS) | st.integers().map(str) | st.floats().map(repr)
scalars = any_of({"null", "true", "false"}) | numbers | strings
spaced = scalars.map(lambda text: f" \t\r\n{text}\n")


def _containers(inner: Text) -> Text:
    return st.lists(inner, max_size=4).map(array) | st.lists(st.tuples(strings, inner), max_size=4).map(members)


json_text = (
    st.recursive(scalars | spaced, _containers, max_leaves=12) | nested("[", "]") | nested('{"a":', "}") | any_of(WORDS)
)

payloads = (
    st.lists(st.tuples(strings, json_text), max_size=4).map(members)
    | st.builds(
        lambda letter, size: json_object({"a": json.dumps(letter * size, ensure_ascii=False)}),
        st.sampled_from('a"é\u20ac\U0001f600'),
        st.sampled_from([1020, 1021, 1022, 1023, 1362, 1363, 2043, 2044, 2045, 4087, 4088, 4089, 4096]),
    )
    | json_text
)

_storable = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
valid_payloads = st.dictionaries(
    _storable,
    st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | _storable | st.booleans(),
    max_size=4,
).map(json.dumps)

times = st.builds(
    "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
    st.sampled_from([0, 1, 2, 1582, 1970, 2026, 9998, 9999, 10000]),
    st.integers(0, 13),
    st.integers(0, 32),
    st.sampled_from(["T", "t", " ", "T ", ""]),
    st.sampled_from([0, 12, 23, 24]),
    st.sampled_from([0, 59, 60]),
    st.sampled_from([0, 59, 60]),
    st.sampled_from(["", ".1", ".123456", ".1234567", ".123456789", ".1234567891", "."]),
    st.sampled_from(["Z", "z", "", "-00:00"])
    | st.builds("{}{:02}:{:02}".format, st.sampled_from("+-"), st.integers(0, 25), st.sampled_from([0, 30, 59, 60])),
).map(json.dumps)

valid_times = st.builds(
    "2026-03-02T09:14:05Z".replace,
    st.just("Z"),
    st.builds("{}{:02}:{:02}".format, st.sampled_from("+-"), st.integers(0, 15), st.integers(0, 59)),
).map(json.dumps)

ids = any_of(
    {
        '"@SESSION@"',
        '"{@session@}"',
        '"urn:uuid:@session@"',
        '"@session@\\n"',
        '"@one id@"',
        '"@their user@"',
        '"@their session@"',
        '"@their question@"',
    }
)
odd = json_text | payloads | times | ids


@st.composite
def nearly(draw: st.DrawFn, fields: Mapping[str, Text], extra: Text = odd) -> str:
    """Return the text of an object in which one field is replaced, left out, said twice, or added."""
    kept = {name: draw(value) for name, value in fields.items()}
    name = draw(st.sampled_from([*fields, "more", "", "\0", "é" * 300]))
    match draw(st.sampled_from(["replace", "leave out", "twice", "none"])):
        case "replace":
            kept[name] = draw(extra)
        case "leave out":
            kept.pop(name, None)
        case "twice":
            return members([*((json.dumps(n), v) for n, v in kept.items()), (json.dumps(name), draw(extra))])
    return json_object(kept)


@st.composite
def damaged(draw: st.DrawFn, text: Text) -> bytes:
    """Return a text in an encoding or with a few bytes that it should not have."""
    body = draw(text).encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"])))
    where = draw(st.integers(0, len(body)))
    match draw(st.sampled_from(["none", "cut", "put in", "replace", "after"])):
        case "cut":
            return body[:where]
        case "put in":
            return body[:where] + draw(st.binary(min_size=1, max_size=3)) + body[where:]
        case "replace":
            return body[:where] + draw(st.sampled_from([b"\0", b"\xff", b"\xed\xa0\x80"])) + body[where + 1 :]
        case "after":
            return body + draw(st.binary(min_size=1, max_size=3))
    return body
