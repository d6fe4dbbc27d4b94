"""An exam that was sat by nobody: sessions from a seed, for pages that show them."""

import random
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from statistics import mean

BEGAN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
GROUPS = ("Morning", "Afternoon", "Extra time & <aids> #1?")
ENOUGH = 30  # times, for a threshold
LOG_REASONS = ("gap", "gap", "gap", "dead_letter", "dropped", "no_end")
KINDS = {(0, 1): "WR", (1, 0): "RW", (0, 0): "WW", (1, 1): "RR"}
TITLES = (
    "Which planet takes the shortest time to go round the Sun?",
    "How many sides does a hexagon have?",
    "Which ocean is the largest?",
    "What is the boiling point of water at sea level?",
    "Which gas do plants take from the air?",
    "In which organ is insulin made?",
)


@dataclass(frozen=True)
class Look:
    """What a session has of a question."""

    ms: int
    visits: int
    first: int  # 1: right
    last: int
    is_changed: bool

    @property
    def kind(self) -> str | None:
        return KINDS[self.first, self.last] if self.is_changed else None


@dataclass(frozen=True)
class Sat:
    """A session."""

    session_id: str
    user_id: str
    began_at: datetime
    group: str
    completion: str
    log_reason: str | None
    looks: dict[int, Look]
    moves: Counter[tuple[int, int]]

    @property
    def is_known(self) -> bool:
        return self.log_reason is None

    @property
    def marks(self) -> int:
        return sum(look.last for look in self.looks.values())

    @property
    def time_ms(self) -> int:
        return sum(look.ms for look in self.looks.values()) + 21_000


@dataclass
class Sitting:
    """`questions` questions sat by `sessions` people; without a key, nobody knows what is right."""

    exam_id: str
    title: str | None
    sessions: int
    questions: int
    has_key: bool = True
    due: int = 0
    seed: int = 7
    thresholds: dict[int, float | None] = field(default_factory=dict)

    @cached_property
    def sat(self) -> list[Sat]:
        dice = random.Random(self.seed)  # noqa: S311 -- for chance, not for secrets
        hardness = [(dice.gauss(0, 1), dice.uniform(0.1, 2.2)) for _ in range(self.questions)]
        sat = [_sit(dice, number, hardness) for number in range(self.sessions)]
        return sorted(sat, key=lambda each: each.began_at)

    def question_id(self, position: int) -> str:
        return str(uuid.uuid5(uuid.UUID(self.exam_id), f"question {position}"))

    def position(self, question_id: str) -> int:
        return next((at for at in self.positions if self.question_id(at) == question_id), 0)

    @property
    def positions(self) -> range:
        return range(1, self.questions + 1)

    def title_of(self, position: int) -> str | None:
        return TITLES[position - 1] if self.has_key and position <= len(TITLES) else None

    def rapid_below_ms(self, position: int) -> float | None:
        if position not in self.thresholds:
            times = [each.looks[position].ms for each in self.sat if each.is_known and position in each.looks]
            self.thresholds[position] = min(mean(times) / 10, 10_000) if len(times) >= ENOUGH else None
        return self.thresholds[position]

    def effort_of(self, each: Sat) -> float | None:
        looked = [(look.ms, self.rapid_below_ms(position)) for position, look in each.looks.items()]
        if not each.is_known or not looked or any(below is None for _, below in looked):
            return None
        return sum(below is not None and ms >= below for ms, below in looked) / len(looked)


def _sit(dice: random.Random, number: int, hardness: list[tuple[float, float]]) -> Sat:
    ability = dice.gauss(0, 1)
    moves: Counter[tuple[int, int]] = Counter()
    looks = dict(_looks(dice, ability, hardness))
    order = list(_order(dice, list(looks)))
    for at, then in pairwise(order):
        moves[at, then] += at != then
    reason = dice.choice(LOG_REASONS) if dice.random() < 0.04 else None
    ends = ("submitted", "expired", "open") if reason is None else ("submitted", "unknown", "unknown")
    return Sat(
        session_id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        user_id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        began_at=BEGAN + timedelta(seconds=dice.randrange(9 * 3600)),
        group=GROUPS[number % len(GROUPS)],
        completion=dice.choices(ends, (92, 6, 2))[0],
        log_reason=reason,
        looks=looks,
        moves=+moves,
    )


def _looks(dice: random.Random, ability: float, hardness: list[tuple[float, float]]) -> Iterator[tuple[int, Look]]:
    haste = 0.3 if dice.random() < 0.04 else 0.01
    for position, (hard, slope) in enumerate(hardness, 1):
        if dice.random() < 0.01:
            continue
        is_right = dice.random() < 1 / (1 + 2.7 ** (slope * (hard - ability)))
        is_changed = dice.random() < 0.06 + 0.02 * (position % 5)
        is_hasty = dice.random() < haste
        yield (
            position,
            Look(
                ms=int(dice.uniform(700, 3000) if is_hasty else dice.lognormvariate(10.6 + 0.25 * hard, 0.5)),
                visits=1 + (dice.random() < 0.2),
                first=int(dice.random() < 0.3) if is_changed else int(is_right),
                last=int(is_right),
                is_changed=is_changed,
            ),
        )


def _order(dice: random.Random, positions: list[int]) -> Iterator[int]:
    for index, position in enumerate(positions):
        if index > 1 and dice.random() < 0.05:
            yield positions[index - 2]
        if dice.random() < 0.03:
            yield dice.choice(positions)
        yield position
