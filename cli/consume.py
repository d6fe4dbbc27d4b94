"""`attemptlog consume`: the consumer in the foreground."""

import typer

from attemptlog.consumer.app import run


def consume() -> None:
    """Store what is in the topic until it is told to stop; health and metrics are on port 8001."""
    raise typer.Exit(run())
