"""Events as xAPI 1.0.3 statements. Pure.

What an event becomes must stay what it is: a record store refuses another statement under the same id, so a change here
is a change for whoever has sent statements already.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from attemptlog.exporter.errors import DataError
from attemptlog.exporter.rows import Chunk

Json = dict[str, Any]


class Verb(NamedTuple):
    """A registered verb."""

    id: str
    display: str


ADL = "http://adlnet.gov/expapi/verbs/"
INITIALIZED = Verb(f"{ADL}initialized", "initialized")
TERMINATED = Verb(f"{ADL}terminated", "terminated")
ANSWERED = Verb(f"{ADL}answered", "answered")
INTERACTED = Verb(f"{ADL}interacted", "interacted")
SUSPENDED = Verb(f"{ADL}suspended", "suspended")
RESUMED = Verb(f"{ADL}resumed", "resumed")
VIEWED = Verb("http://id.tincanapi.com/verb/viewed", "viewed")

ACTIVITIES = "http://adlnet.gov/expapi/activities/"
ASSESSMENT = f"{ACTIVITIES}assessment"
ATTEMPT = f"{ACTIVITIES}attempt"
QUESTION = f"{ACTIVITIES}cmi.interaction"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a type of event says: a verb, and what of its payload is the result, by the payload's keys."""

    verb: Verb
    completion: bool | None = None
    response: str | None = None
    duration: str | None = None


MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        "SESSION_CREATED": Meaning(INITIALIZED),
        "SESSION_SUBMITTED": Meaning(TERMINATED, completion=True),
        "SESSION_EXPIRED": Meaning(TERMINATED, completion=False),
        "REVIEW_OPENED": Meaning(INTERACTED),
        "QUESTION_VIEWED": Meaning(VIEWED),
        "NAVIGATE_NEXT": Meaning(INTERACTED, duration="dwell_ms"),
        "NAVIGATE_PREV": Meaning(INTERACTED, duration="dwell_ms"),
        "NAVIGATE_JUMP": Meaning(INTERACTED, duration="dwell_ms"),
        "ANSWER_SELECTED": Meaning(ANSWERED, response="choice"),
        "ANSWER_CHANGED": Meaning(ANSWERED, response="choice"),
        "MARK_FOR_REVIEW_TOGGLED": Meaning(INTERACTED),
        "PAUSE_BLUR": Meaning(INTERACTED),
    }
)
"""By event type. The gateway checks no payload's keys: PAUSE_BLUR is this where its `state` is neither of the two."""

ABSENCES: Mapping[str, Meaning] = MappingProxyType(
    {"blur": Meaning(SUSPENDED), "focus": Meaning(RESUMED, duration="away_ms")}
)
"""PAUSE_BLUR by its `state`."""

# What a statement has places of its own for; every other column is an extension.
PLACED = frozenset({"id", "event_ts", "session_id", "user_id", "question_id", "exam_id"})
AS_JSON = frozenset({"payload", "dropped"})
EXTENSIONS = "xapi/extensions/"

ROWS_AT_A_TIME = 2000  # of some 3 kB each as Python's objects


@dataclass(frozen=True, slots=True)
class Statements:
    """Makes statements; `home_page` is whose accounts the users are, our own IRIs begin with `base` and a slash."""

    home_page: str
    base: str
    _keys: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def of(self, chunk: Chunk) -> Iterator[bytes]:
        """Yield the statement of every row as JSON text in one line, which begins with its id.

        Raises DataError, with the row's id, for an event type that has no meaning here.
        """
        for start in range(0, chunk.num_rows, ROWS_AT_A_TIME):
            for row in chunk.slice(start, ROWS_AT_A_TIME).to_pylist():
                yield orjson.dumps(self.statement(row), option=orjson.OPT_UTC_Z)

    def statement(self, row: Json) -> Json:
        """Return the statement of a row of rows.SCHEMA, or of one with more columns; `exam_id` is the exam's."""
        payload = _payload(row)
        meaning = meaning_of(row, payload)
        whole = self._whole(row)
        statement = {
            "id": row["id"],
            "actor": {"objectType": "Agent", "account": {"homePage": self.home_page, "name": row["user_id"]}},
            "verb": {"id": meaning.verb.id, "display": {"en": meaning.verb.display}},
            "object": self._question(row["question_id"]) if row["question_id"] else whole,
            "context": {"registration": row["session_id"], "extensions": self._extensions(row)},
            "timestamp": row["event_ts"],
        }
        if row["question_id"]:
            statement["context"]["contextActivities"] = {"parent": [whole]}
        if result := result_of(meaning, payload):
            statement["result"] = result
        return statement

    def extension(self, column: str) -> str:
        """Return the IRI under which a column is an extension of the context."""
        if column not in self._keys:
            self._keys[column] = f"{self.base}/{EXTENSIONS}{column}"
        return self._keys[column]

    def _question(self, question: str) -> Json:
        definition = {"type": QUESTION, "interactionType": "choice"}
        return {"objectType": "Activity", "id": f"{self.base}/questions/{question}", "definition": definition}

    def _whole(self, row: Json) -> Json:
        """Return the exam, or the attempt at it where nothing says which exam it is."""
        if exam := row.get("exam_id"):
            return {"objectType": "Activity", "id": f"{self.base}/exams/{exam}", "definition": {"type": ASSESSMENT}}
        place = f"{self.base}/sessions/{row['session_id']}"
        return {"objectType": "Activity", "id": place, "definition": {"type": ATTEMPT}}

    def _extensions(self, row: Json) -> Json:
        return {
            self.extension(name): _as_json(name, value)
            for name, value in row.items()
            if value is not None and name not in PLACED
        }


def meaning_of(row: Json, payload: Json) -> Meaning:
    """Return what a row says; raises DataError for an event type that nobody has told us of."""
    kind = row["event_type"]
    if kind == "PAUSE_BLUR" and isinstance(state := payload.get("state"), str) and state in ABSENCES:
        return ABSENCES[state]
    if (meaning := MEANINGS.get(kind)) is None:
        raise DataError(f"nothing says what {kind} is in xAPI: update the exporter", row["id"])
    return meaning


def result_of(meaning: Meaning, payload: Json) -> Json:
    """Return the result, empty where the payload does not say one: what is no count there is left where it was."""
    result: Json = {}
    if meaning.completion is not None:
        result["completion"] = meaning.completion
    if meaning.response is not None and (choice := _count(payload, meaning.response)) is not None:
        result["response"] = str(choice)
    if meaning.duration is not None and (milliseconds := _count(payload, meaning.duration)) is not None:
        result["duration"] = f"PT{milliseconds // 1000}.{milliseconds % 1000:03}S"
    return result


def _count(payload: Json, key: str) -> int | None:
    value = payload.get(key)
    return value if type(value) is int and value >= 0 else None  # a bool is an int, too


def _payload(row: Json) -> Json:
    try:
        payload = orjson.loads(row["payload"])
    except orjson.JSONDecodeError as error:
        raise DataError("its payload is not JSON: correct it", row["id"]) from error
    return payload if isinstance(payload, dict) else {}


def _as_json(column: str, value: Any) -> Any:
    """JSON as it is, to the last digit of its numbers; a hash as text, because JavaScript would round it."""
    if column in AS_JSON:
        return orjson.Fragment(value)
    return str(value) if column == "row_hash" else value
