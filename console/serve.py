"""How the console is served: by uvicorn, in one process."""

import uvicorn

from attemptlog.console.app import create_app
from attemptlog.console.settings import ConsoleSettings
from attemptlog.runtime.logs import log_config
from attemptlog.runtime.ports import check_free

GRACE = 10  # seconds that requests in flight get when it is told to stop
MAX_CONNECTIONS = 512  # at a time, those that only wait included; over it 503


def serve() -> None:
    """Serve the console until it is told to stop.

    Raises pydantic's ValidationError for settings that are missing or wrong, OperatorError for a port that is taken.
    """
    settings = ConsoleSettings()
    check_free(settings.console_host, settings.console_port, "set ATTEMPTLOG_CONSOLE_PORT.")
    uvicorn.run(
        create_app(settings),
        host=settings.console_host,
        port=settings.console_port,
        loop="asyncio",  # uvloop ends aiokafka's connections with an error (aio-libs/aiokafka#1038)
        ws="none",
        access_log=False,
        proxy_headers=False,  # nothing here depends on where a request comes from
        server_header=False,
        log_config=log_config(settings.log_level),
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
    )
