"""Which fault strikes in which round and when: the same for the same seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from random import Random

MOST_AT_ONCE = 3
USUALLY_AT_ONCE = (1, 1, 2)
LATEST_STRIKE = 2.5  # seconds into the round


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that begins `after` seconds of its round; `seed` decides what is left open in it."""

    fault: str
    after: float
    seed: str


def plan(faults: Sequence[str], rounds: int, seed: int) -> list[list[Strike]]:
    """Return the strikes of every round: no fault twice in one, each once before any comes again.

    More than two come at once only where the rounds would not suffice for all of them.
    """
    dice = Random(seed)
    at_least = min(MOST_AT_ONCE, ceil(len(faults) / rounds))
    deck: list[str] = []
    planned = []
    for number in range(1, rounds + 1):
        hand = _deal(faults, deck, max(at_least, dice.choice(USUALLY_AT_ONCE)), dice)
        planned.append([Strike(it, dice.uniform(0.2, LATEST_STRIKE), f"{seed}:{number}:{it}") for it in hand])
    return planned


def _deal(faults: Sequence[str], deck: list[str], count: int, dice: Random) -> list[str]:
    """Take `count` faults from the deck; when it runs out, the others are shuffled into a new one."""
    hand: list[str] = []
    while len(hand) < count:
        if not deck:
            deck += dice.sample(faults, len(faults))
        drawn = next(it for it in deck if it not in hand)
        deck.remove(drawn)
        hand.append(drawn)
    return hand
