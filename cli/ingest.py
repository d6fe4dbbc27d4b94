"""`attemptlog ingest`: the gateway in the foreground."""

import signal
from typing import Annotated

import typer
import uvicorn

from attemptlog.ingest_api.app import Gateway, create_app
from attemptlog.ingest_api.protocol import GatewayProtocol
from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.runtime.logs import log_config

GRACE = 10  # seconds that requests in flight get when it is told to stop


def ingest(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes, one per core; they share nothing.")] = 1,
) -> None:
    """Serve the gateway until it is told to stop."""
    settings = IngestSettings()  # a wrong setting is told in one sentence, before uvicorn is in the way
    uvicorn.run(
        "attemptlog.cli.ingest:application",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http=GatewayProtocol,
        ws="none",
        access_log=False,
        proxy_headers=False,  # nothing here depends on where a request comes from
        log_config=log_config(settings.log_level),
        timeout_graceful_shutdown=GRACE,
    )


def application() -> Gateway:
    """Return the gateway of this process, which SIGHUP (a terminal that is closed) ends in order, as SIGTERM does."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    return create_app()
