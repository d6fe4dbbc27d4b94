"""What the console's API says of an exam that nobody sat."""

from collections import Counter
from statistics import StatisticsError, correlation, covariance, mean, median
from typing import Any

from tests.support.fake_sitting import GROUPS, KINDS, Sat, Sitting


def exam_of(sitting: Sitting, chosen: list[Sat]) -> dict[str, Any]:
    """Return what GET /api/exams/{exam_id} says of these sessions."""
    known = [each for each in chosen if each.is_known]
    efforts = [effort for each in chosen if (effort := sitting.effort_of(each)) is not None]
    ends = Counter(each.completion for each in chosen)
    moves = sum((each.moves for each in known), Counter[tuple[int, int]]())
    movers = Counter(move for each in known for move in each.moves)
    return {
        "exam_id": sitting.exam_id,
        "title": sitting.title,
        "freshness": {"as_of": "2026-03-02T17:31:04Z", "due": sitting.due},
        "groups": list(GROUPS),
        "coverage": {
            "sessions": len(chosen),
            "complete": len(known),
            "reasons": Counter(each.log_reason for each in chosen if each.log_reason),
        },
        "completion": {name: ends[name] for name in ("submitted", "expired", "open", "unknown")},
        "questions": [_question(sitting, chosen, position) for position in sitting.positions],
        "navigation": [
            {
                "from_question_id": sitting.question_id(at),
                "to_question_id": sitting.question_id(to),
                "moves": number,
                "sessions": movers[at, to],
            }
            for (at, to), number in moves.items()
        ],
        "times": [each.time_ms for each in known],
        "effort": {"known": len(efforts), "below_090": sum(effort < 0.9 for effort in efforts)},
    }


def _question(sitting: Sitting, chosen: list[Sat], position: int) -> dict[str, Any]:
    known = [each for each in chosen if each.is_known and position in each.looks]
    times = [each.looks[position].ms for each in known]
    below = sitting.rapid_below_ms(position)
    kinds = Counter(each.looks[position].kind for each in known)
    changed = sum(kinds.values()) - kinds[None]
    of_kind = {kind: kinds[kind] if sitting.has_key else 0 for kind in KINDS.values()}
    return {
        "question_id": sitting.question_id(position),
        "position": position,
        "title": sitting.title_of(position),
        "viewed": len(known),
        "mean_visits": mean(each.looks[position].visits for each in known) if known else None,
        "times": len(times),
        "mean_ms": mean(times) if times else None,
        "median_ms": median(times) if times else None,
        "rapid_below_ms": below,
        "rapid": None if below is None else sum(ms < below for ms in times),
        "rapid_reason": "too_few" if below is None else None,
        **_marks(sitting, known, position),
        "changed": changed,
        "wrong_to_right": of_kind["WR"],
        "right_to_wrong": of_kind["RW"],
        "wrong_to_wrong": of_kind["WW"],
        "right_to_right": of_kind["RR"],
    }


def _marks(sitting: Sitting, known: list[Sat], position: int) -> dict[str, Any]:
    nothing = {"marked": 0, "facility": None, "discrimination": None, "efficiency": None}
    if not sitting.has_key or not known:
        return {**nothing, "marks_reason": "no_marks" if sitting.has_key else "no_key"}
    marks = [float(each.looks[position].last) for each in known]
    rest = [each.marks - mark for each, mark in zip(known, marks, strict=True)]
    figures: dict[str, Any] = {"marked": len(marks), "facility": mean(marks)}
    try:
        best = covariance(sorted(marks), sorted(rest))
        of_both = {
            "discrimination": 100 * correlation(marks, rest),
            "efficiency": 100 * covariance(marks, rest) / best,
        }
    except (StatisticsError, ZeroDivisionError):
        return nothing | figures | {"marks_reason": "no_spread"}
    return figures | of_both | {"marks_reason": None}


def session_of(sitting: Sitting, each: Sat) -> dict[str, Any]:
    """Return a line of the list of sessions."""
    reason = each.log_reason
    effort = sitting.effort_of(each)
    marks_reason = None if sitting.has_key else "no_key"
    return {
        "session_id": each.session_id,
        "user_id": each.user_id,
        "began_at": None if reason == "no_end" else each.began_at.isoformat(),
        "completion": each.completion,
        "time_ms": None if reason else each.time_ms,
        "time_reason": reason,
        "marks": None if reason or marks_reason else each.marks,
        "marks_reason": reason or marks_reason,
        "answered": None if reason else len(each.looks),
        "answers_reason": reason,
        "absences": None if reason else each.looks[min(each.looks)].ms % 3,
        "absences_reason": reason,
        "effort": effort,
        "effort_reason": None if effort is not None else reason or "too_few",
        "is_complete": each.is_known,
        "log_reason": reason,
    }
