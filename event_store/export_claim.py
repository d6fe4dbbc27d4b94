"""A connection to PostgreSQL that has claimed a target: one exporter of a target has it at a time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Self

import psycopg
from psycopg import Connection, IsolationLevel

from attemptlog.event_store import export_sql as sql
from attemptlog.event_store.database import describe, is_operators, is_transient, refusal
from attemptlog.event_store.errors import CannotRun, Occupied, StoreUnavailable, Superseded
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.grants import EXAMINE, Finding, faults, needs, row_security
from attemptlog.runtime.postgres import SURVEY, Survey, conninfo, pin, unfit, wrong_pooling

# A network that drops everything without a word has to end as an error too. What the URL says goes first.
CONNECTION_DEFAULTS: dict[str, Any] = {
    "application_name": "attemptlog-exporter",
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 10,  # seconds
    "keepalives_interval": 5,  # seconds
    "keepalives_count": 3,
}


class Claimed:
    """Holds the target's lock while `with` lasts; `fence` is the number under which it was claimed.

    `grants` are what its role needs in PostgreSQL, as in export_sql.

    Everything done with it may raise StoreUnavailable, CannotRun for what an operator has to mend, and Superseded.
    """

    def __init__(self, database_url: str, target: str, grants: Mapping[str, str] = sql.GRANTS) -> None:
        self.conninfo = conninfo(database_url, **CONNECTION_DEFAULTS)
        self.pin = ""
        self.fence = 0
        self._target = target
        self._grants = grants

    def __enter__(self) -> Self:
        with told():
            self._connection = psycopg.connect(self.conninfo, autocommit=True, prepare_threshold=None)
        try:
            with told():
                self._examine()
                self._claim()
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        with suppress(psycopg.Error):  # who has lost the connection has lost the lock
            self._connection.execute(sql.UNLOCK, self._names())
        self._connection.close()  # of which PostgreSQL takes notice at some time

    def _change(self, connection: Connection[Any], statement: str, **values: Any) -> None:
        if connection.execute(statement.encode(), self._names(**values)).rowcount == 0:
            raise Superseded(f"another exporter has taken {self._target} over")

    def _names(self, **values: Any) -> Mapping[str, Any]:
        return {"target": self._target, "fence": self.fence, **values}

    @contextmanager
    def _transaction(self) -> Iterator[Connection[Any]]:
        with told(), self._connection.transaction():
            self._connection.execute(self.pin.encode())
            yield self._connection

    def _examine(self) -> None:
        connection = self._connection
        connection.isolation_level = IsolationLevel.READ_COMMITTED
        connection.read_only = False
        with connection.transaction():
            [survey] = map(Survey._make, connection.execute(SURVEY).fetchall())
            connection.execute(pin(survey))
            cursor = connection.execute(EXAMINE, needs(self._grants, [survey.role]))
            findings = [Finding(*row) for row in cursor.fetchall()]
        if wrong := [fault] if (fault := unfit(survey)) else faults(findings):
            raise CannotRun("; ".join(wrong))
        self.pin = pin(survey, row_security(findings)).as_string(connection)

    def _claim(self) -> None:
        with self._transaction() as connection:
            if connection.execute(sql.TRY_LOCK, self._names()).fetchall() != [(True,)]:
                raise Occupied(f"another exporter is at work on {self._target}")
            connection.execute(sql.ENTER_TARGET, self._names())
            [(self.fence,)] = connection.execute(sql.CLAIM, self._names()).fetchall()


@contextmanager
def told() -> Iterator[None]:
    """Translate what psycopg raises."""
    try:
        yield
    except OperatorError as error:
        raise CannotRun(str(error)) from error
    except psycopg.Error as error:
        if fault := wrong_pooling(error):
            raise CannotRun(fault) from error
        if is_operators(error):
            raise refusal(error.sqlstate, describe(error)) from error
        if is_transient(error):
            raise StoreUnavailable(describe(error)) from error
        raise
