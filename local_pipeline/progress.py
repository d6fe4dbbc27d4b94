"""Who is told how far the pipeline is."""

from contextlib import AbstractContextManager
from typing import Protocol


class Progress(Protocol):
    """Shows to whoever waits; `attemptlog.cli.console` is one."""

    def working_on(self, what: str) -> AbstractContextManager[None]:
        """Show what takes a while, for as long as it does."""
        ...

    def warn(self, what: str) -> None:
        """Say what is not as it was wanted, though it goes on."""
        ...
