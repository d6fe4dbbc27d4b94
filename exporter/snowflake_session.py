"""A connection to Snowflake: how one logs in, what is run on it, and what its errors mean."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import snowflake.connector
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from snowflake.connector import errors
from snowflake.connector.cursor import DictCursor

from attemptlog.exporter.errors import DataError, ExportError, SetUpError, TransientError
from attemptlog.schemas.fields import Seconds

LOCK_TIMEOUT = 60  # seconds; Snowflake's own is 12 hours
LONGEST_STATEMENT = 3600  # seconds; Snowflake's own is 2 days
SECOND = timedelta(seconds=1)  # the connector counts in whole ones
LONGEST_REASON = 300  # characters

# Every one of them is undone by a new login. Other errors of logging in stay until somebody sees to them.
EXPIRED = {390104, 390110, 390111, 390112, 390113, 390114, 390115}
NO_WAREHOUSE = 606  # whose state is that of an intervention
LOST = {250002, 250003, 250005}  # the connection is closed, a request failed
# A value that does not fit its column, whatever the statement.
OF_A_VALUE = range(100_000, 101_000)

PASSING_STATES = ("08", "40", "57")  # connection, serialization, operator intervention and time-outs
DATA_STATES = ("21", "22", "23")

WAYS = [f"export_snowflake_{it}" for it in ("private_key_path", "oauth_token_path", "programmatic_access_token")]


class SnowflakeSettings(BaseSettings):
    """Settings of Snowflake, `ATTEMPTLOG_` in front. One of the three ways to log in is needed."""

    model_config = SettingsConfigDict(env_prefix="ATTEMPTLOG_", extra="ignore", hide_input_in_errors=True)

    export_snowflake_account: Annotated[str, Field(description="Account identifier, such as `myorg-myaccount`.")]
    export_snowflake_user: Annotated[str, Field(description="User to log in as.")]
    export_snowflake_role: Annotated[str, Field(description="Role to act as.")]
    export_snowflake_warehouse: Annotated[str, Field(description="Warehouse to load with; X-Small will do.")]
    export_snowflake_database: Annotated[str, Field(description="Database of the events.")]
    export_snowflake_schema: Annotated[str, Field(description="Schema of the events.")]
    export_snowflake_private_key_path: Annotated[
        Path | None, Field(description="Private key (PEM), to log in by key pair.")
    ] = None
    export_snowflake_private_key_passphrase: Annotated[
        SecretStr | None, Field(description="Passphrase of that key.")
    ] = None
    export_snowflake_oauth_token_path: Annotated[
        Path | None, Field(description="File with an OAuth access token; read at every login, as they are short-lived.")
    ] = None
    export_snowflake_programmatic_access_token: Annotated[
        SecretStr | None, Field(description="Programmatic access token.")
    ] = None
    export_snowflake_host: Annotated[
        str | None, Field(description="Host, where it is not the account's: a private link.")
    ] = None
    export_snowflake_port: Annotated[int, Field(description="Port of that host.")] = 443
    export_snowflake_protocol: Annotated[Literal["https", "http"], Field(description="`http` is for a stand-in.")] = (
        "https"
    )
    export_snowflake_network_timeout: Annotated[
        Seconds, Field(description="After this a request is not tried again; the batch is, then.", ge=SECOND)
    ] = timedelta(seconds=60)

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> "SnowflakeSettings":
        if sum(getattr(self, way) is not None for way in WAYS) != 1:
            raise ValueError(
                f"one of {' and '.join(f'ATTEMPTLOG_{way.upper()}' for way in WAYS)} is needed, and no other"
            )
        return self


class Session:
    """A connection in autocommit mode, in UTC."""

    def __init__(self, connection: snowflake.connector.SnowflakeConnection) -> None:
        self._connection = connection

    @classmethod
    def connect(cls, settings: SnowflakeSettings) -> "Session":
        """Log in; raises the connector's errors, and SetUpError for a key or token that cannot be read."""
        try:
            return cls(snowflake.connector.connect(**parameters(settings), **login(settings)))
        except (OSError, ValueError, TypeError) as error:  # from reading the key
            raise SetUpError(
                f"the private key {settings.export_snowflake_private_key_path} cannot be used: {error}"
            ) from error

    def run(self, statement: str, *values: Any) -> int:
        """Run a statement; return the number of rows it changed."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.rowcount or 0

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run a statement; return its rows by the columns' names, which are in capitals unless Snowflake made them."""
        with self._connection.cursor(DictCursor) as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def tables(self, statement: str, *values: Any) -> Iterator[Any]:
        """Run a statement; yield its rows as Arrow tables."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            yield from cursor.fetch_arrow_batches()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done meanwhile, or nothing. Whether a COMMIT that raises went through, the ledger tells."""
        try:
            self.run("BEGIN")
            yield
            self.run("COMMIT")
        except BaseException:
            with suppress(errors.Error):  # where nobody answers, Snowflake does so by itself
                self.run("ROLLBACK")
            raise

    def close(self) -> None:
        """Log out."""
        with suppress(errors.Error):
            self._connection.close(retry=False)


def parameters(settings: SnowflakeSettings) -> dict[str, Any]:
    """Return what a connection is made with, whoever logs in."""
    of_session = {
        "TIMEZONE": "UTC",
        "LOCK_TIMEOUT": LOCK_TIMEOUT,
        "STATEMENT_TIMEOUT_IN_SECONDS": LONGEST_STATEMENT,
        "ABORT_DETACHED_QUERY": True,
        "QUERY_TAG": "attemptlog",
        "CLIENT_TELEMETRY_ENABLED": False,
    }
    timeout = int(settings.export_snowflake_network_timeout.total_seconds())
    here = (
        {
            "host": settings.export_snowflake_host,
            "port": settings.export_snowflake_port,
            "protocol": settings.export_snowflake_protocol,
        }
        if settings.export_snowflake_host
        else {}
    )
    return here | {
        "account": settings.export_snowflake_account,
        "user": settings.export_snowflake_user,
        "role": settings.export_snowflake_role,
        "warehouse": settings.export_snowflake_warehouse,
        "database": settings.export_snowflake_database,
        "schema": settings.export_snowflake_schema,
        "paramstyle": "qmark",
        "network_timeout": timeout,
        "login_timeout": timeout,
        "session_parameters": of_session,
        "application": "attemptlog",
    }


def login(settings: SnowflakeSettings) -> dict[str, Any]:
    """Return what the connector wants for the chosen way to log in; raises SetUpError for a file that is not there."""
    if settings.export_snowflake_programmatic_access_token:
        token = settings.export_snowflake_programmatic_access_token.get_secret_value()
        return {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": token}
    if settings.export_snowflake_oauth_token_path:
        return {"authenticator": "OAUTH", "token": token_in(settings.export_snowflake_oauth_token_path)}
    passphrase = settings.export_snowflake_private_key_passphrase
    return {
        "authenticator": "SNOWFLAKE_JWT",
        "private_key_file": str(settings.export_snowflake_private_key_path),  # which dbt and others call a path
        "private_key_file_pwd": passphrase.get_secret_value() if passphrase else None,
    }


def token_in(path: Path) -> str:
    """Return what a file holds."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SetUpError(f"the OAuth token cannot be read: {error}") from error


def told(error: errors.Error) -> ExportError:
    """Return what it means that the connector has raised this. No message of Snowflake's that may quote a row."""
    number, state = error.errno or 0, (error.sqlstate or "")[:2]
    if number in OF_A_VALUE or state in DATA_STATES or isinstance(error, errors.DataError | errors.IntegrityError):
        return DataError(f"Snowflake does not take a value (error {number:06}, query {error.sfqid})")
    reason = f"Snowflake: {' '.join(str(error).split())[:LONGEST_REASON]}"
    return SetUpError(reason) if is_for_an_operator(error, number, state) else TransientError(reason)


def is_for_an_operator(error: errors.Error, number: int, state: str) -> bool:
    """Whether it stays so until somebody changes a setting, a grant or an object."""
    if number in EXPIRED:
        return False
    if number == NO_WAREHOUSE:
        return True
    if isinstance(error, errors.ForbiddenError | errors.NotSupportedError | errors.MissingDependencyError):
        return True
    if type(error) is errors.DatabaseError:  # which is how a login is refused
        return number not in LOST
    return isinstance(error, errors.ProgrammingError) and state not in PASSING_STATES
