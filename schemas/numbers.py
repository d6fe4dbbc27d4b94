"""Numbers with a fraction or an exponent: parsing makes doubles of them, which must not change what was sent."""

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

MAX_DIGITS = 400  # more than any double has; Python takes long over the digits of longer ones
# Each begins with the sign that it is searched by, which costs a tenth of searching for a digit.
AN_EXPONENT = re.compile(rb"e(?<=\de)").search
# A double holds any 15 digits as they are written (IEEE 754), but for those next to zero.
MORE_THAN_15_DIGITS = tuple(
    re.compile(pattern).search for pattern in (rb"\.(?:\d{10}|(?<=\d{7}\.)\d)", rb"e(?<=\d{16}e)", rb"E(?<=\d{16}E)")
)
NEXT_TO_ZERO = tuple(re.compile(pattern).search for pattern in (rb"e-3\d\d", rb"\.0(?!\d)(?<![0-9]\d\.0)(?<=0\.0)"))

ROUNDED = "holds a number that a double cannot hold as it is written; send it as text"


class Rounded(float):
    """A double that is not the number in the text; two texts that differ would be taken for the same."""


def may_be_rounded(text: bytes, payloads: bytes) -> bool:
    """Return whether parsing a JSON text can have rounded a number in the compact payloads that were parsed from it.

    For usual ones it costs little, and what only looks like such a number counts as well.
    """
    if b"." not in payloads and AN_EXPONENT(payloads) is None:
        return False
    return any(find(text) for find in MORE_THAN_15_DIGITS) or any(find(payloads) for find in NEXT_TO_ZERO)


def loads(text: str) -> Any:
    """Parse JSON, with a Rounded for each number that a double cannot hold; raise ValueError or RecursionError.

    NaN and Infinity are not JSON (RFC 8259, 6). Lone surrogates in texts are let through.
    """
    return json.loads(text, parse_constant=_not_json, parse_int=_any_int, parse_float=_as_written)


def holds_rounded(value: Any) -> bool:
    """Return whether there is a Rounded anywhere in a parsed value."""
    if isinstance(value, dict):
        return any(map(holds_rounded, value.values()))
    return any(map(holds_rounded, value)) if isinstance(value, list) else isinstance(value, Rounded)


def _not_json(word: str) -> NoReturn:
    raise ValueError(word)


def _any_int(digits: str) -> int | float:
    """Python refuses integers over 4,300 digits, for the time they take; no field takes them, nor the infinity."""
    return int(digits) if len(digits) < MAX_DIGITS else float(digits)


def _as_written(text: str) -> float:
    value = float(text)
    return value if repr(value) == text or _is_same(text, value) else Rounded(value)


def _is_same(text: str, value: float) -> bool:
    """Return whether the shortest text of a double, which is what is stored, is the same number."""
    if len(text) > MAX_DIGITS or not math.isfinite(value):
        return False
    try:
        return Decimal(text) == Decimal(repr(value))
    except InvalidOperation:  # an exponent beyond all bounds
        return False
