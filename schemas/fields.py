"""Field types that the request and the envelope share: what the gateway takes is what the consumer can store."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
from pydantic import AwareDatetime, BeforeValidator, Field, GetPydanticSchema, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

MAX_PAYLOAD_BYTES = 4096  # as compact UTF-8 JSON; keeps the largest batch of 50 under the gateway's 320 KiB body limit
MAX_SEQ = 2**31 - 1  # PostgreSQL integer

UUID_CHARS = 36
UUID_PATTERN = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
# PostgreSQL takes zones up to 15:59 only (RFC 3339 up to 23:59; the widest in use are -12:00 and +14:00)
RFC3339_PATTERN = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-](0\d|1[0-5]):\d{2})$"
# A year at either end of the calendar would leave it when moved to UTC.
OLDEST, YOUNGEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)  # the latter is too young
# an even run of backslashes before \u0000 means the escape is real; an odd one, that the text says backslash-u0000
NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def _saying(message: str, schema: core_schema.CoreSchema) -> core_schema.CoreSchema:
    """Let a schema fail with our sentence instead of a regular expression."""
    return core_schema.custom_error_schema(schema, "bad_format", custom_error_message=message)


# Text rather than uuid.UUID: it is the Kafka key, the cache key and the COPY field, so no hop converts it.
UuidText = Annotated[
    str,
    GetPydanticSchema(
        lambda *_: _saying(
            "must be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057",
            core_schema.str_schema(pattern=UUID_PATTERN, to_lower=True, strict=True),
        )
    ),
    WithJsonSchema({"type": "string", "format": "uuid"}),
]

Seq = Annotated[int, Field(strict=True, ge=0, le=MAX_SEQ)]

# The pattern comes first because pydantic alone also reads "1700000000" as a timestamp.
Timestamp = Annotated[
    AwareDatetime,
    Field(ge=OLDEST, lt=YOUNGEST),
    GetPydanticSchema(
        lambda source, handler: core_schema.chain_schema(
            [
                _saying(
                    "must be a date and time with a zone (RFC 3339) such as 2026-03-02T09:14:05.123Z",
                    core_schema.str_schema(pattern=RFC3339_PATTERN, strict=True),
                ),
                _saying(
                    "must be in the calendar, from year 2 to 9998; send a leap second, :60, as :59.999",
                    handler(source),
                ),
            ]
        )
    ),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": f"^(?!000[01]|9999){RFC3339_PATTERN[1:]}"}),
]


def compact(payload: object) -> bytes:
    """Return a payload as compact UTF-8 JSON that jsonb can hold.

    Raises PydanticCustomError `payload_too_large` over MAX_PAYLOAD_BYTES, and `payload_invalid` for what is not an
    object or cannot be kept as it is: NUL characters, lone surrogates, integers over 64 bits, non-finite numbers.
    """
    if not isinstance(payload, dict):
        raise PydanticCustomError("payload_invalid", "must be a JSON object")
    try:
        text = orjson.dumps(payload)
    except TypeError as error:
        raise PydanticCustomError("payload_invalid", "cannot be kept: {why}", {"why": str(error)}) from error
    if len(text) > MAX_PAYLOAD_BYTES:
        raise PydanticCustomError(
            "payload_too_large",
            "is {size} bytes as compact UTF-8 JSON, the limit is {limit}",
            {"size": len(text), "limit": MAX_PAYLOAD_BYTES},
        )
    if b"\\u0000" in text and NUL_ESCAPE.search(text):
        raise PydanticCustomError("payload_invalid", "holds the character U+0000, which jsonb cannot store")
    if b"null" in text and not _is_finite(payload):  # orjson writes inf and nan as null
        raise PydanticCustomError("payload_invalid", "holds a number outside the range of a double")
    return b"%b" % text  # a copy: what orjson returns takes up nearly 4 KiB


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return all(map(_is_finite, value)) if isinstance(value, list | tuple) else True


PayloadJson = Annotated[
    bytes,
    BeforeValidator(compact),
    WithJsonSchema(
        {
            "type": "object",
            "description": f"At most {MAX_PAYLOAD_BYTES} bytes as compact UTF-8 JSON; no U+0000; "
            "no number that a double cannot hold as it is written.",
        }
    ),
]


def _as_seconds(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value  # ISO 8601, or an error that pydantic words


# For settings: an environment variable is text, and pydantic alone reads "10" as no duration.
Seconds = Annotated[timedelta, BeforeValidator(_as_seconds)]
