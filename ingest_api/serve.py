"""How the gateway is served: by uvicorn, with a protocol of its own, in one process or several."""

import signal

import uvicorn

from attemptlog.ingest_api.app import Gateway, create_app
from attemptlog.ingest_api.protocol import GatewayProtocol
from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.ingest_api.workers import announce
from attemptlog.runtime.logs import log_config

GRACE = 10  # seconds that requests in flight get when it is told to stop
WORKER_START = 30  # seconds; a worker that does not answer in them is replaced, and a busy machine takes some to import


def serve(*, host: str, port: int, workers: int) -> None:
    """Serve the gateway until it is told to stop; each worker reads its settings from the environment.

    Raises pydantic's ValidationError for settings that are missing or wrong, before uvicorn is in the way.
    """
    settings = IngestSettings()
    announce(workers)
    uvicorn.run(
        "attemptlog.ingest_api.serve:application",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http=GatewayProtocol,
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on where a request comes from
        log_config=log_config(settings.log_level),
        timeout_graceful_shutdown=GRACE,
        timeout_worker_healthcheck=WORKER_START,
    )


def application() -> Gateway:
    """Return the gateway of this process, which SIGHUP (a terminal that is closed) ends in order, as SIGTERM does."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    return create_app()
