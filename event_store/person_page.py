"""What is held about a person, as a page for that person: one file that needs no other, written while it is read.

Nothing in it runs, nothing is fetched, and whatever was sent is shown as text.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from attemptlog.event_store import person_words as words
from attemptlog.event_store.dead_letters import TableRow, event_in, readable, visible
from attemptlog.event_store.person import Person
from attemptlog.event_store.purge_remains import DONE

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>What is held about you</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>What is held about you</h1>
<p>As of {made_at}. Every time is that of the time zone UTC.</p>
<nav aria-label="Parts of this page"><ul>{parts}</ul></nav>
</header>
<main>
"""

PARTS = {
    "short": "In short",
    "stored": "What was recorded",
    "letters": "What was not stored",
    "copies": "Copies elsewhere",
    "purged": "What was erased",
    "looked": "Who looked",
}

TAIL = "</main>\n</body>\n</html>\n"

# What an event's line says in words, and what its session's heading says.
TOLD = frozenset({"event_type", "happened_at", "payload_json", "session_id", "user_id"})

# Numbers as they are written: a float would round them.
_parsed = partial(json.loads, parse_int=str, parse_float=str, parse_constant=str)


def as_page(person: Person) -> Iterator[str]:
    """Yield the page, in pieces."""
    parts = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in PARTS.items())
    style = Path(__file__).with_suffix(".css").read_text("utf-8")
    yield HEAD.format(style=style, made_at=_text(person.made_at), parts=parts)
    yield from _part("short", _short(person))
    yield from _part("stored", _sessions(person))
    yield from _part("letters", _list(map(_letter, person.dead_letters()), "There is nothing."))
    yield from _part("copies", _copies(person))
    yield from _part("purged", _list(map(_purge, person.purges()), "Nothing was erased."))
    yield from _part("looked", _looked(person))
    yield TAIL


def _part(name: str, pieces: Iterable[str]) -> Iterator[str]:
    yield f'<section aria-labelledby="{name}">\n<h2 id="{name}">{PARTS[name]}</h2>\n'
    yield from pieces
    yield "</section>\n"


def _list(entries: Iterator[str], nothing: str) -> Iterator[str]:
    first = next(entries, None)
    if first is None:
        yield f"<p>{nothing}</p>\n"
        return
    yield "<ol>\n" + first
    yield from entries
    yield "</ol>\n"


def _short(person: Person) -> Iterator[str]:
    stored = [row for row in person.sessions if row["events_stored"]]
    yield _facts(
        {
            "you are known here as": person.user_id,
            "attempts at exams": len(person.sessions),
            "events stored": f"{sum(row['events_stored'] for row in stored):,}",
            "first": stored[0]["first_event_ts"] if stored else None,
            "last": max((row["last_event_ts"] for row in stored), default=None),
            "read by": person.looker.by,
            "because": person.looker.why,
        }
    )
    yield f"<p>Is what you do in an exam being stored? {words.SUPPRESSED[person.is_suppressed]}</p>\n"


def _sessions(person: Person) -> Iterator[str]:
    for row in person.sessions:
        began = row["first_event_ts"]
        yield f'<section class="session">\n<h3>{f"Attempt of {_text(began)}" if began else "An attempt"}</h3>\n'
        yield _facts({"session": row["session_id"], "exam": row["exam_id"], "events": row["events_stored"]})
        yield from _list(map(_event, map(_parsed, person.events(row["session_id"]))), "No event of it is stored.")
        yield "</section>\n"
    if not person.sessions:
        yield "<p>Nothing is stored.</p>\n"


def _event(row: Mapping[str, Any]) -> str:
    what = words.EVENTS.get(row["event_type"], row["event_type"])
    rest = {name: value for name, value in row.items() if name not in TOLD and value is not None}
    fine = ", ".join(f"{name} {_json(value)}" for name, value in rest.items())
    when = row["happened_at"].replace("T", " ").removesuffix("+00:00")
    return _entry(when, what, _facts(dict(words.details(row["payload_json"]))) + _fine(fine))


def _letter(row: TableRow) -> str:
    why = f"<p>{_text(words.reason(row))}</p>\n"
    place = _fine(
        f"dead letter {row['id']}: {row['topic']}, partition {row['partition']}, offset {row['kafka_offset']}"
    )
    if row.get("is_of_another"):
        return _entry(row["first_seen_at"], "Somebody else sent this into one of your attempts", why + place)
    event = event_in(row["value"]) or {}
    what = words.EVENTS.get(str(event.get("event_type")), "A record")
    said = {"session": row["session_id"], "detail": row["detail"], "key": readable(row["key"])}
    value = f"<pre>{_text(readable(row['value']))}</pre>\n" if row["value"] is not None else ""
    return _entry(row["first_seen_at"], what, why + _facts(said) + value + place)


def _copies(person: Person) -> Iterator[str]:
    yield "<p>Events are copied to where they are evaluated.</p>\n"
    yield from _list(map(_copy, person.exports()), "No copy was made.")
    yield from (f"<p>{_text(line)}</p>\n" for line in words.ELSEWHERE)


def _copy(row: TableRow) -> str:
    facts = {"events of yours there": f"{row['rows']:,}", "copied until": row["exported_until"]}
    anew = "<p>All are being copied once more: it may hold more than these.</p>\n" if row["is_sent_anew"] else ""
    return _entry(row["since"], f"Target {row['target']}", _facts(facts) + anew)


def _purge(row: TableRow) -> str:
    facts = {
        "of": "one attempt" if row["subject_kind"] == "session" else None,
        "events": row["events"],
        "not stored before": row["dead_letters"],
        "finished": row["finished_at"] or "not yet",
        "by": row["requested_by"],
        "because": row["reason"],
        **dict(map(_in_target, row["targets"])),
    }
    kept = "<p>Copies elsewhere were kept.</p>\n" if row["keeps_exports"] else ""
    return _entry(row["started_at"], words.PURGES[row["kind"]], _facts(facts) + kept)


def _in_target(found: TableRow) -> tuple[str, str]:
    if found["state"] == DONE:
        return f"gone from {found['target']}", found["done_at"]
    return f"still in {found['target']}", words.STILL[found["state"]]


def _looked(person: Person) -> Iterator[str]:
    yield "<h3>At what is yours, this page among it</h3>\n"
    yield from _list(map(_access, person.accesses()), "Nobody.")
    yield "<h3>At what is everybody's, yours among it</h3>\n"
    yield from _list(map(_access_to_all, person.accesses_to_all()), "Nobody.")
    yield "<h3>By trying again to store what was not stored</h3>\n"
    yield from _list(map(_replay, person.replays()), "Nobody who named you.")


def _access(row: TableRow) -> str:
    whose = "one attempt" if row["subject_kind"] == "session" else "all of yours"
    return _entry(row["accessed_at"], row["command"], _facts({"of": whose, **_by(row)}))


def _access_to_all(row: TableRow) -> str:
    since = row["first_at"] if row["times"] > 1 else None
    return _entry(row["last_at"], row["command"], _facts({"times": row["times"], "since": since, **_by(row)}))


def _replay(row: TableRow) -> str:
    return _entry(row["started_at"], "dead-letters replay", _facts({"by": row["replayed_by"]}))


def _by(row: TableRow) -> dict[str, Any]:
    return {"by": row["accessed_by"], "login": row["database_user"], "because": row["reason"]}


def _entry(when: Any, what: str, body: str) -> str:
    return f"<li><time>{_text(when)}</time><div>\n<p>{_text(what)}</p>\n{body}</div></li>\n"


def _facts(facts: Mapping[str, Any]) -> str:
    given = ((name, value) for name, value in facts.items() if value not in (None, ""))
    pairs = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in given)
    return f"<dl>{pairs}</dl>\n" if pairs else ""


def _fine(said: str) -> str:
    return f'<p class="fine">{_text(said)}</p>\n'


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(value: Any) -> str:
    """Return any value as text of the page: a moment in UTC, and nothing that a browser acts on."""
    if isinstance(value, datetime):
        value = f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return escape(visible("" if value is None else str(value)))
