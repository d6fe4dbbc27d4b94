"""What the contract asks of an envelope, field by field, and where what came differs from it. Pure."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from attemptlog.schemas.events import Envelope
from attemptlog.schemas.payloads import PAYLOAD_SHAPES

PAYLOAD = "payload_json"
FORMATS = {"uuid": "UUID", "date-time": "date and time"}
MAX_CHOICES_NAMED = 4

Json = dict[str, Any]


class Field(NamedTuple):
    """What a field has to be, in words and as JSON types (with `integer`), and whether it has to be there."""

    words: str
    types: frozenset[str]
    is_required: bool


@cache
def fields(event_type: str | None) -> Mapping[str, Field]:
    """Return the envelope's fields, and, of a type that there is, those that its payload has by convention."""
    found = dict(_fields_of(Envelope))
    for known, shape in PAYLOAD_SHAPES.items():
        if known == event_type:
            of_payload = _fields_of(shape)
            found |= {f"{PAYLOAD}.{name}": it._replace(words=f"{it.words}, by convention") for name, it in of_payload}
    return found


def expected(event_type: str | None) -> dict[str, str]:
    """Return what each field has to be, in words."""
    return {name: field.words for name, field in fields(event_type).items()}


def faults(shape: Mapping[str, str], event_type: str | None, detail: str | None = None) -> list[str]:
    """Return the fields that lack, that are of another JSON type, that the contract does not have, or that the
    consumer's check names in its `detail`: of the right type, and with a value that will not do.

    `shape` is the JSON type by field. Of the payload of a type that nobody knows, nothing is said.
    """
    named = (detail or "").partition(": ")[0]
    known = fields(event_type)
    names = dict.fromkeys([*known, *shape])
    said = [name for name in names if not _in_unknown_payload(name, shape, known)]
    return [name for name in said if name == named or not _fits(shape.get(name), known.get(name))]


def _fits(came: str | None, field: Field | None) -> bool:
    if came is None or field is None:
        return field is not None and not field.is_required
    return came in field.types


def _in_unknown_payload(name: str, shape: Mapping[str, str], known: Mapping[str, Field]) -> bool:
    """Say whether a field is one of a payload that did not come, or whose fields nobody knows."""
    has_convention = any(it.startswith(f"{PAYLOAD}.") for it in known)
    return name.startswith(f"{PAYLOAD}.") and not (has_convention and shape.get(PAYLOAD) == "object")


def _fields_of(shape: type) -> Iterator[tuple[str, Field]]:
    schema = TypeAdapter(shape).json_schema()
    required = schema.get("required", ())
    for name, found in schema["properties"].items():
        field = _resolved(found, schema)
        words = _words(field) + ("" if name in required else ", may be left out")
        yield name, Field(words, frozenset(_types(field)), name in required)


def _resolved(field: Json, schema: Json) -> Json:
    reference: str = field.get("$ref", "")
    resolved: Json = schema["$defs"][reference.rpartition("/")[2]] if reference else field
    return resolved


def _types(field: Json) -> Iterator[str]:
    if "anyOf" in field:
        for each in field["anyOf"]:
            yield from _types(each)
    elif "enum" in field:
        yield "string"
    elif "const" in field:
        yield "integer"
    else:
        yield field["type"]


def _words(field: Json) -> str:
    if "anyOf" in field:
        return " or ".join(map(_words, field["anyOf"]))
    if "const" in field:
        return str(field["const"])
    if "enum" in field:
        values = field["enum"]
        return f"one of {', '.join(values)}" if len(values) <= MAX_CHOICES_NAMED else "one of the event types"
    kind = FORMATS.get(field.get("format", ""))
    return f"{field['type']} ({kind})" if kind else str(field["type"])
