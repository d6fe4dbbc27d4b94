"""Request bodies made up of usual and of odd pieces.

There are as many in every run; ATTEMPTLOG_GENERATED_BODIES=1000000 reads so many instead.
"""

import os
from collections.abc import Callable
from random import Random

from attemptlog.schemas import EVENT_TYPES

BODIES = int(os.environ.get("ATTEMPTLOG_GENERATED_BODIES", "6000"))
UUID = "01890a5d-ac96-774b-bcce-b302099a8057"

UUIDS = [
    UUID.upper(), UUID[:-1], UUID + "0", UUID.replace("-", ""), "{" + UUID + "}", UUID[:-1] + "g", UUID[:-1] + "\\n",
    UUID + "\\n", UUID[:-1] + "\\u0030", UUID[:-1] + "\uff10", "", "a" * 36, UUID[:8] + UUID[9:] + "-",
]  # fmt: skip
MOMENTS = [
    "2026-01-12T09:04:27Z", "2026-01-12t09:04:27z", "2026-01-12 09:04:27.1Z", "2026-01-12T09:04:27.123456Z",
    "2026-01-12T09:04:27.1234567Z", "2026-01-12T09:04:27.999999999Z", "2026-01-12T09:04:27.0000000001Z",
    "2026-01-12T09:04:27+00:00", "2026-01-12T09:04:27-00:00", "2026-01-12T09:04:27+0000", "2026-01-12T09:04:27-0000",
    "2026-01-12T09:04:27+00", "2026-01-12T09:04:27+01:00", "2026-01-12T09:04:27-15:59", "2026-01-12T09:04:27+16:00",
    "2026-01-12T09:04:27-23:59", "2026-01-12T09:04:27", "2026-01-12", "2026-02-30T00:00:00Z", "2026-01-12T24:00:00Z",
    "2026-01-12T09:04:60Z", "0001-06-01T00:00:00Z", "0002-01-01T00:00:00Z", "9998-12-31T23:59:59.999999Z",
    "9999-01-01T00:00:00Z", "2026-W03-1T09:04:27.000Z", "1700000000", " 2026-01-12T09:04:27Z", "2026-01-12T09:04:27,5Z",
    "2026-01-12T09:04:27.Z", "2026-01-12T09:04:27.5\\u005a", "20260112T090427Z",
]  # fmt: skip
NUMBERS = [
    "0", "-0", "2147483647", "2147483648", "-1", "1.0", "1e0", "1E3", "01", "+1", "true", '"1"', "1e400", "-1e400",
    "99999999999999999999999999", "NaN", "Infinity", "-Infinity", "0x1", "1_0", "1.",
]  # fmt: skip
VALUES = [
    "1", "-1", "18446744073709551615", "18446744073709551616", "-9223372036854775809", "0.1", "1e5", "1E-7", "-0.0",
    "0.30000000000000004", "123456789.123456789", "5e-324", "1e308", "1e309", "NaN", "null", "true", "[]", "{}",
    "[null]", '"null"', '"a b"', '"\\u0000"', '"\\\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"', '"\u00e9"', '"\x7f"',
    '"\t"', '"\\x"', '"\\/"', '{"a":1,"b":2,"a":3}', "[" * 90 + "]" * 90, "[" * 210 + "]" * 210, '"' + "x" * 4090 + '"',
    '"' + "x" * 300 + '"', "01", "1.", ".5", "tru",
]  # fmt: skip
PAYLOADS = ["{}", "null", "[]", "1", '"{}"', "{", '{"a"}', '{"a":1,}', " { } "]
TYPES = ['"LOGIN"', "null", "1", '"pause_blur"', '"PAUSE\\u005fBLUR"', '["PAUSE_BLUR"]']
SOURCES = ['"web"', '"mobile"', '"api"', "null", '"Web"', "1"]
DROPS = ["{}", "null", '{"invalid":1}', '{"invalid":-1}', '{"other":1}', '{"expired":1.0}', "[]"]


def body_of(random: Random) -> bytes:
    """Return a body, of which some have many odd pieces, and most have few."""
    oddness = random.choice([0, 0.01, 0.03, 0.1, 0.4])

    def piece(usual: str, odd: list[str], form: Callable[[str], str] = str) -> str:
        return form(random.choice(odd)) if random.random() < oddness else usual

    def text(value: str) -> str:
        return f'"{value}"'

    def event() -> str:
        fields = [
            ("event_type", piece(text(random.choice(EVENT_TYPES)), TYPES)),
            ("session_id", piece(text(UUID), [*UUIDS], text)),
        ]
        optional = [
            ("client_ts", piece('"2026-01-12T09:04:27.395Z"', [*MOMENTS, "x"], text)),
            ("seq", piece(str(random.randrange(1, 999)), NUMBERS)),
            ("question_id", piece(text(UUID), UUIDS, text)),
            ("payload", payload()),
            ("client_ts", "null"),
            ("question_id", "null"),
        ]
        fields += random.sample(optional, random.randrange(len(optional) + 1))
        fields += [("user_id", text(UUID))] * (random.random() < oddness / 4)
        return members(fields)

    def payload() -> str:
        pairs = [(random.choice("abcde"), piece("1", VALUES)) for _ in range(random.randrange(4))]
        return piece(members(pairs), PAYLOADS)

    def members(pairs: list[tuple[str, str]]) -> str:
        random.shuffle(pairs)
        space = piece("", [" ", "\n", "\t", "\r\n", "\x0b", "\x00"])
        return "{" + ",".join(f'"{name}":{space}{value}' for name, value in pairs) + "}"

    events = [piece(event(), ["null", "1", "[]", "{}", '"x"']) for _ in range(random.choice([0, 1, 1, 2, 3, 51]))]
    head = [("events", piece("[" + ",".join(events) + "]", ["null", "{}", "[1"]))]
    others = [
        ("source", piece('"web"', SOURCES)),
        ("stream_id", piece(text(UUID), UUIDS, text)),
        ("sent_at", piece('"2026-01-12T09:04:29.001+00:00"', MOMENTS, text)),
        ("dropped", piece('{"queue_full":3}', DROPS)),
        ("events", "[]"),
    ]
    head += random.sample(others, random.randrange(5)) if random.random() < 0.9 else others
    whole = members(head)
    cut = random.randrange(len(whole)) if random.random() < oddness / 10 else None
    return (
        piece("", ["\ufeff", " ", "\n"]).encode() + whole[:cut].encode("utf-8", "surrogatepass") + b" " * (cut is None)
    )
