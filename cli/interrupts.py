"""Ctrl-C: at once where nothing has begun, as KeyboardInterrupt from then on."""

import os
import signal

INTERRUPTED = 128 + signal.SIGINT  # the exit status that shells give


def leave_at_once(*_: object) -> None:
    """End the process on Ctrl-C: while modules are imported there is nothing to clean up, and a traceback to avoid."""
    os._exit(INTERRUPTED)


def raise_interrupts() -> None:
    """Have Ctrl-C raise KeyboardInterrupt from now on, where it would make the process leave at once."""
    if signal.getsignal(signal.SIGINT) is leave_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
