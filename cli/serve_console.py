"""`attemptlog console`: the console in the foreground."""

from attemptlog.console.serve import serve


def serve_console() -> None:
    """Serve the console until it is told to stop: who may see what is in the tokens, docs/console.md."""
    serve()
