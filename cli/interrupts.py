"""Ctrl-C and SIGTERM: at once where nothing has begun, in an orderly way for a command that has servers to stop."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 128 + signal.SIGINT  # the exit status that shells give


def leave_at_once(*_: object) -> None:
    """End the process on Ctrl-C: while modules are imported there is nothing to clean up, and a traceback to avoid."""
    os._exit(INTERRUPTED)


def raise_interrupts() -> None:
    """Have Ctrl-C raise KeyboardInterrupt from now on, where it would make the process leave at once."""
    if signal.getsignal(signal.SIGINT) is leave_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def interrupted_once() -> Iterator[None]:
    """Make SIGTERM a KeyboardInterrupt, as Ctrl-C is; give the handlers back once everything has stopped."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    # a second Ctrl-C, out of impatience, must not leave half of the servers running
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
