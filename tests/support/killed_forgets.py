"""`python -m tests.support.killed_forgets PLACE PERSON`: has a target forget a person, and dies as it is told.

PLACE is one of tests.support.killed_exports. Each line of the input is a fence and at which step to die, or a dash;
answered with the number of steps, -1 for a death. Every attempt is a process of its own, forked from one that does
nothing but that.
"""

import sys

from attemptlog.exporter.target import Target
from tests.support.killed_exports import FOLDERS, target_at
from tests.support.killed_processes import run
from tests.support.whom import Whom


def main(place: str, person: str) -> None:
    """Run until the input ends."""
    for line in sys.stdin:
        fence, step = line.split()
        target = target_at(place)
        end = None if step == "-" else int(step)
        steps = run(lambda: forget(target, int(fence), person), FOLDERS, end)  # noqa: B023
        sys.stdout.write(f"{steps}\n")
        sys.stdout.flush()


def forget(target: Target, fence: int, person: str) -> None:
    """Do what an exporter does."""
    with target:
        target.claim(fence)
        target.forget(Whom(person))


if __name__ == "__main__":
    main(*sys.argv[1:])
