"""An operator's mistake becomes one sentence; everything else keeps its traceback."""

from collections.abc import Callable
from typing import Any


def sentence(error: BaseException) -> str | None:
    """Return what to tell the operator, or None for a fault of ours."""
    for kind in type(error).__mro__:
        if tell := SENTENCES.get(f"{kind.__module__}.{kind.__qualname__}"):
            return tell(error)
    return None


def _invalid(error: Any) -> str | None:
    if not error.title.endswith("Settings"):
        return None
    return "; ".join(_setting(problem["loc"], problem["type"], problem["msg"]) for problem in error.errors()) + "."


def _setting(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not loc:
        return message
    name = f"ATTEMPTLOG_{loc[0]}".upper()
    return f"{name} is not set" if kind == "missing" else f"{name}: {message}"


def _postgres(error: Any) -> str:
    from psycopg.errors import OperationalError, UndefinedColumn, UndefinedFunction, UndefinedTable  # noqa: PLC0415

    from attemptlog.runtime.postgres import wrong_pooling  # noqa: PLC0415

    if isinstance(error, UndefinedTable | UndefinedColumn | UndefinedFunction):
        return "The database is not migrated: run `attemptlog migrate`."
    if fault := wrong_pooling(error):
        return f"{fault}."
    if isinstance(error, OperationalError) and error.sqlstate is None:
        return f"PostgreSQL cannot be reached: {_first_line(error)}."
    if error.sqlstate is None:  # libpq quotes the URL with its password
        return "ATTEMPTLOG_DATABASE_URL cannot be read: write it as postgresql://user:password@host:port/database."
    return f"PostgreSQL refuses: {error.diag.message_primary or _first_line(error)}."


def _kafka(error: Any) -> str:
    return f"Kafka does not answer as it should ({_first_line(error)}): check ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS."


def _gateway(error: Any) -> str:
    return f"The gateway cannot be reached: {_first_line(error)}."


def _file(error: Any) -> str | None:
    return f"{error.filename}: {error.strerror}." if error.filename else None


def _first_of(error: Any) -> str | None:
    return sentence(error.exceptions[0])


def _first_line(error: Any) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].strip().rstrip(".")


# By name, because importing what raises them takes a second, and need not be installed.
SENTENCES: dict[str, Callable[[Any], str | None]] = {
    "attemptlog.runtime.errors.OperatorError": str,
    "attemptlog.local_stack.errors.LocalStackError": str,
    "attemptlog.migrations.database.MigrationError": str,
    "attemptlog.exporter.errors.ExportError": str,
    "attemptlog.event_store.errors.StoreError": str,
    "pydantic_core._pydantic_core.ValidationError": _invalid,
    "psycopg.Error": _postgres,
    "aiokafka.errors.KafkaError": _kafka,
    "httpx.HTTPError": _gateway,
    "httpx.InvalidURL": _gateway,
    "builtins.OSError": _file,
    "builtins.ExceptionGroup": _first_of,
}
