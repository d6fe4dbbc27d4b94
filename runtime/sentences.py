"""An operator's mistake becomes one sentence; everything else keeps its traceback."""

from functools import singledispatch

import httpx
import psycopg
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.postgres import wrong_pooling

# Their messages are for the operator already. By name, because importing their packages takes a second that a command
# which never touches them should not spend.
PLAIN_ERRORS = frozenset(
    {"attemptlog.local_stack.errors.LocalStackError", "attemptlog.migrations.database.MigrationError"}
)


@singledispatch
def sentence(error: object) -> str | None:
    """Return what to tell the operator, or None for a fault of ours."""
    names = {f"{each.__module__}.{each.__qualname__}" for each in type(error).__mro__}
    return str(error) if names & PLAIN_ERRORS else None


@sentence.register
def _(error: OperatorError) -> str:
    return str(error)


@sentence.register
def _(error: ValidationError) -> str | None:
    if not error.title.endswith("Settings"):
        return None
    return "; ".join(_setting(problem["loc"], problem["type"], problem["msg"]) for problem in error.errors()) + "."


def _setting(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not loc:
        return message
    name = f"ATTEMPTLOG_{loc[0]}".upper()
    return f"{name} is not set" if kind == "missing" else f"{name}: {message}"


@sentence.register
def _(error: ExceptionGroup) -> str | None:
    return sentence(error.exceptions[0])


@sentence.register
def _(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return "The database is not migrated: run `attemptlog migrate`."
    if fault := wrong_pooling(error):
        return f"{fault}."
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return f"PostgreSQL cannot be reached: {_first_line(error)}."
    if error.sqlstate is None:  # libpq quotes the URL with its password
        return "ATTEMPTLOG_DATABASE_URL cannot be read: write it as postgresql://user:password@host:port/database."
    return f"PostgreSQL refuses: {error.diag.message_primary or _first_line(error)}."


@sentence.register
def _(error: KafkaError) -> str:
    return f"Kafka does not answer as it should ({_first_line(error)}): check ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS."


@sentence.register
def _(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    return f"The gateway cannot be reached: {_first_line(error)}."


@sentence.register
def _(error: OSError) -> str | None:
    return f"{error.filename}: {error.strerror}." if error.filename else None


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].strip().rstrip(".")
