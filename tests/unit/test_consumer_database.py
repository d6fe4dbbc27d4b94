"""Which errors of PostgreSQL are waited out, which are the data's, and which stop the process."""

import psycopg
import pytest
from psycopg import errors

from attemptlog.event_store.database import describe, is_refusal, is_transient


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("connection refused"),
        psycopg.InterfaceError("the connection is closed"),
        errors.ConnectionFailure(),
        errors.DeadlockDetected(),
        errors.SerializationFailure(),
        errors.DiskFull(),
        errors.TooManyConnections(),
        errors.AdminShutdown(),
        errors.CannotConnectNow(),
        errors.QueryCanceled(),
        errors.IoError(),
        errors.ReadOnlySqlTransaction(),
        errors.IdleInTransactionSessionTimeout(),
        errors.LockNotAvailable(),
        errors.InvalidPassword(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_passes_is_waited_out(error: psycopg.Error) -> None:
    assert is_transient(error)
    assert not is_refusal(error)


@pytest.mark.parametrize(
    "error",
    [errors.NumericValueOutOfRange(), errors.ForeignKeyViolation(), errors.CheckViolation(), psycopg.DataError("NUL")],
    ids=lambda error: type(error).__name__,
)
def test_what_is_wrong_with_a_row_is_the_rows(error: psycopg.Error) -> None:
    assert is_refusal(error)
    assert not is_transient(error)


@pytest.mark.parametrize(
    "error",
    [errors.UndefinedTable(), errors.InsufficientPrivilege(), errors.InternalError_(), psycopg.ProgrammingError("bug")],
    ids=lambda error: type(error).__name__,
)
def test_everything_else_is_neither(error: psycopg.Error) -> None:
    assert not is_transient(error)
    assert not is_refusal(error)


def test_a_description_is_one_line() -> None:
    said = describe(psycopg.OperationalError("connection failed\nDETAIL: a row"))
    assert said == "PostgreSQL cannot be reached: connection failed"
