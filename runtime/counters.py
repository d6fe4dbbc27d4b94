"""Counters with labels that can alarm: each series is there before it is first counted."""

from collections.abc import Iterable
from itertools import product

from prometheus_client import CollectorRegistry, Counter


def counter_from_zero(
    name: str, documentation: str, registry: CollectorRegistry, **labels: Iterable[str | int]
) -> Counter:
    """Return a counter whose `labels` have every one of these values from the start, at 0.

    A series that is born with its first count has no increase to Prometheus: what is counted by then, nobody hears of.
    """
    counter = Counter(name, documentation, list(labels), registry=registry)
    for values in product(*labels.values()):
        counter.labels(*values)
    return counter
