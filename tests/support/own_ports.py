"""Ports that no other worker of a test run is given: between the choice of one and its use, seconds may pass."""

import os

from attemptlog.local_stack import ports

# Beside those from which the commands choose, and below those that systems give to whoever asks for any.
CANDIDATES = range(10_000, 15_000)
MOST_SHARES = 16  # of more than 300 ports; of more workers, some share


def share_of(worker: int, workers: int) -> range:
    """Return the ports of one of so many workers, which are counted from 0."""
    shares = min(workers, MOST_SHARES)
    return CANDIDATES[worker % shares :: shares]


def keep_to_own_ports() -> None:
    """Have `free_port` choose from this worker's share from now on."""
    worker, workers = (os.environ[f"PYTEST_XDIST_WORKER{which}"] for which in ("", "_COUNT"))
    ports.CANDIDATES = share_of(int(worker.removeprefix("gw")), int(workers))
