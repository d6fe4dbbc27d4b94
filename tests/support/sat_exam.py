"""What pages of the console have to show of candidates, worked out from what these did and from nothing stored."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from examples.exam_platform.sessions.exam import QUESTIONS
from tests.support.candidate import Candidate, Event


def sentence(event: Event) -> str:
    """Return how the line begins that an attempt's page has for it."""
    kind, it = event
    words = {
        "SESSION_CREATED": "The attempt began with {items} questions.",
        "SESSION_SUBMITTED": "Handed in with {answered} answers.",
        "REVIEW_OPENED": "The overview was opened, with {marked} marked.",
        "QUESTION_VIEWED": "Question {pos} came on the screen.",
        "NAVIGATE_NEXT": "On to question {to_pos}.",
        "NAVIGATE_PREV": "Back to question {to_pos}.",
        "NAVIGATE_JUMP": "Jump to question {to_pos}.",
        "ANSWER_SELECTED": "Answered question {pos}: option {choice}.",
        "ANSWER_CHANGED": "Changed the answer to question {pos}: from option {prev_choice} to option {choice}.",
        "MARK_FOR_REVIEW_TOGGLED": "Marked question {pos} for review.",
        "PAUSE_BLUR": "The page lost the focus" if it.get("state") == "blur" else "The page has the focus again",
    }[kind]
    return words.format(**it | {name: it[name] + 1 for name in ("choice", "prev_choice") if name in it})


def visits(done: Iterable[Event]) -> list[int]:
    """Return the positions in the order of the visits; the same viewed again without a move is the same visit."""
    path: list[int] = []
    has_moved = True
    for kind, it in done:
        if kind == "QUESTION_VIEWED":
            path += [it["pos"]] if has_moved else []
        has_moved = kind.startswith("NAVIGATE") or (has_moved and kind != "QUESTION_VIEWED")
    return path


def viewed(candidates: Sequence[Candidate]) -> Counter[int]:
    """Return, by position, how many viewed the question."""
    return Counter(pos for each in candidates for pos in set(visits(each.done)))


def moves(candidates: Sequence[Candidate]) -> dict[tuple[int, int], tuple[int, int]]:
    """Return, by the positions between which they moved, how many moves there were, and of how many candidates."""
    steps = [Counter(pairwise(visits(each.done))) for each in candidates]
    return {move: (sum(it[move] for it in steps), sum(move in it for it in steps)) for move in set().union(*steps)}


def changes(candidates: Sequence[Candidate]) -> Counter[tuple[int, str]]:
    """Return, by position and kind from the first to the last answer, how many changed theirs."""
    found: Counter[tuple[int, str]] = Counter()
    for each in candidates:
        given = [(it["pos"], it["choice"]) for kind, it in each.done if kind.startswith("ANSWER")]
        for pos in {it["pos"] for kind, it in each.done if kind == "ANSWER_CHANGED"}:
            choices = [choice for at, choice in given if at == pos]
            found[pos, " → ".join("right" if is_right(pos, it) else "wrong" for it in (choices[0], choices[-1]))] += 1
    return found


def facility(candidates: Sequence[Candidate], pos: int) -> str:
    """Return the share of the candidates whose last answer is right, as a page has it."""
    right = sum(pos in each.choices and is_right(pos, each.choices[pos]) for each in candidates)
    return f"{round(100 * right / len(candidates))} %"


def is_right(pos: int, choice: int) -> bool:
    return QUESTIONS[pos - 1].correct == choice
