"""Figures worked out from what a simulated candidate did, and not from what is stored of it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from statistics import fmean
from typing import Any

import orjson

from attemptlog.simulation.sitting import Sitting, elapsed_ms

RELOAD_MS = 1000
ENDS = {"SESSION_SUBMITTED", "SESSION_EXPIRED"}
MOVES = {"NAVIGATE_NEXT", "NAVIGATE_PREV", "NAVIGATE_JUMP"}
ANSWERS = {"ANSWER_SELECTED", "ANSWER_CHANGED"}
ACTIONS = MOVES | ANSWERS | {"MARK_FOR_REVIEW_TOGGLED"}


@dataclass
class Asked:
    """What became of a question in a session."""

    visits: int = 0
    dwell_ms: float = 0
    since: float | None = None
    first_answer_ms: float | None = None
    choices: list[int] = field(default_factory=list)

    def mark(self, key: int) -> int:
        return int(bool(self.choices) and self.choices[-1] == key)


@dataclass
class Figures:
    """What is expected of a session; times in milliseconds."""

    questions: dict[str, Asked]
    path: list[str]
    time_ms: float
    first_action_ms: float
    actions: int
    absences: int
    known_ms: int
    of_unknown_length: int


def happened_ms(sitting: Sitting) -> list[int]:
    """Return when each event happened; whoever goes on elsewhere needs a second for it."""
    loads = [each.stream_id for each in sitting.events]
    changes = accumulate((int(before != after) for before, after in pairwise(loads)), initial=0)
    return [at + RELOAD_MS * times for at, times in zip(elapsed_ms(sitting.events), changes, strict=True)]


def figures_of(sitting: Sitting) -> Figures:
    """Work a sitting out as it was sat."""
    told = [
        (each.event_type, each.question_id or "", at, orjson.loads(each.payload))
        for each, at in zip(sitting.events, happened_ms(sitting), strict=True)
    ]
    questions, path = _visits(told)
    for event_type, question, at, payload in told:
        asked = questions[question]
        if event_type in ANSWERS:
            if not asked.choices and asked.since is not None:
                asked.first_answer_ms = at - asked.since
            asked.choices.append(payload["choice"])
    del questions[""]
    first_view = min(at for event_type, _, at, _ in told if event_type == "QUESTION_VIEWED")
    actions = [at for event_type, _, at, _ in told if event_type in ACTIONS]
    returns = [
        payload.get("away_ms") for kind, _, _, payload in told if kind == "PAUSE_BLUR" and payload["state"] == "focus"
    ]
    return Figures(
        questions=dict(questions),
        path=path,
        time_ms=max(at for event_type, _, at, _ in told if event_type in ENDS) - first_view,
        first_action_ms=actions[0] - first_view,
        actions=len(actions),
        absences=len(returns),
        known_ms=sum(away or 0 for away in returns),
        of_unknown_length=returns.count(None),
    )


def _visits(told: Sequence[tuple[str, str, int, Mapping[str, Any]]]) -> tuple[dict[str, Asked], list[str]]:
    questions: dict[str, Asked] = defaultdict(Asked)
    path: list[str] = []
    marks = [each for each in told if each[0] in MOVES | ENDS | {"QUESTION_VIEWED", "REVIEW_OPENED"}]
    has_moved = True
    for (kind, question, at, _), (next_kind, next_question, next_at, payload) in pairwise(marks):
        has_moved = has_moved or kind in MOVES
        if kind != "QUESTION_VIEWED":
            continue
        asked = questions[question]
        if has_moved:
            asked.visits += 1
            path.append(question)
        has_moved = False
        asked.since = at if asked.since is None else asked.since
        is_told = next_kind in MOVES and next_question == question and "dwell_ms" in payload
        asked.dwell_ms += payload["dwell_ms"] if is_told else next_at - at
    questions[""] = Asked()
    return questions, path


def moodle(marks: Sequence[float], rests: Sequence[float]) -> tuple[float, float, float]:
    """Return facility, discrimination index and discriminative efficiency, as Moodle's quiz statistics define them."""
    together = _covariance(marks, rests)
    index = together / (_covariance(marks, marks) * _covariance(rests, rests)) ** 0.5
    return fmean(marks), 100 * index, 100 * together / _covariance(sorted(marks), sorted(rests))


def _covariance(some: Sequence[float], others: Sequence[float]) -> float:
    mean, other_mean = fmean(some), fmean(others)
    products = [(one - mean) * (other - other_mean) for one, other in zip(some, others, strict=True)]
    return sum(products) / (len(products) - 1)


def moves_of(paths: Sequence[Sequence[str]]) -> Counter[tuple[str, str]]:
    """Count how often a visit to one question followed one to another."""
    return Counter(pair for path in paths for pair in pairwise(path) if pair[0] != pair[1])
