"""`attemptlog ingest`: the gateway in the foreground."""

from typing import Annotated

import typer

from attemptlog.ingest_api.serve import serve


def ingest(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes, one per core; they share nothing.")] = 1,
) -> None:
    """Serve the gateway until it is told to stop."""
    serve(host=host, port=port, workers=workers)
