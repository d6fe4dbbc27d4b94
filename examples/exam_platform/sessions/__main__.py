"""`python -m examples.exam_platform.sessions`: the service; with `prepare`, its tables."""

import logging
import sys
from typing import TypeVar

import psycopg
from pydantic import ValidationError

from examples.exam_platform.sessions.prepare import prepare
from examples.exam_platform.sessions.settings import DatabaseSettings, PlatformSettings

Settings = TypeVar("Settings", bound=DatabaseSettings)

USAGE = "usage: python -m examples.exam_platform.sessions [prepare]"
GRACE = 10  # seconds that requests in flight get when it is told to stop

# One line a request is too much for psycopg, one line a try for aiokafka: the publisher itself says that Kafka is away.
LEVELS = {"psycopg.pool": logging.WARNING, "aiokafka": logging.CRITICAL}


def main(arguments: list[str]) -> None:
    """Do what the command line says; exit with one sentence when something is missing."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    match arguments:
        case []:
            _serve(_read(PlatformSettings))
        case ["prepare"]:
            _prepare(_read(DatabaseSettings))
        case _:
            sys.exit(USAGE)


def _read(kind: type[Settings]) -> Settings:
    try:
        return kind()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        sys.exit(f"EXAM_PLATFORM_{str(first['loc'][0]).upper()}: {first['msg']}")


def _prepare(settings: DatabaseSettings) -> None:
    try:
        prepare(settings.database_url.get_secret_value())
    except psycopg.errors.UndefinedTable:
        sys.exit("The database is not migrated: run `attemptlog migrate` first.")
    except psycopg.Error as error:
        sys.exit(f"PostgreSQL says: {str(error).splitlines()[0]}")


def _serve(settings: PlatformSettings) -> None:
    import uvicorn  # noqa: PLC0415 - making the tables need not wait for it

    from examples.exam_platform.sessions.app import create_app  # noqa: PLC0415

    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
