"""Which fault strikes in which round and when: the same for the same seed."""

from collections.abc import Collection, Sequence
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


def plan(faults: Sequence[str], rounds: int, seed: int, alone: Collection[str] = ()) -> list[list[Strike]]:
    """Return the strikes of every round: no fault twice in one, each once before any comes again.

    More than two come at once only where the rounds would not suffice for all of them. Those in `alone` have a round to
    themselves.
    """
    dice = Random(seed)
    shared = max(1, rounds - len(alone))
    at_least = min(MOST_AT_ONCE, ceil((len(faults) - len(alone)) / shared))
    deck: list[str] = []
    planned = []
    for number in range(1, rounds + 1):
        hand = _deal(faults, deck, max(at_least, dice.choice(USUALLY_AT_ONCE)), alone, dice)
        planned.append([Strike(it, dice.uniform(0.2, LATEST_STRIKE), f"{seed}:{number}:{it}") for it in hand])
    return planned


def _deal(faults: Sequence[str], deck: list[str], count: int, alone: Collection[str], dice: Random) -> list[str]:
    """Take `count` faults from the deck, or one of those that are alone; a deck that runs out is shuffled anew."""
    hand: list[str] = []
    while len(hand) < count:
        if not any(it not in hand and (not hand or it not in alone) for it in deck):
            deck += dice.sample(faults, len(faults))
        drawn = next(it for it in deck if it not in hand and (not hand or it not in alone))
        deck.remove(drawn)
        hand.append(drawn)
        if drawn in alone:
            break
    return hand
