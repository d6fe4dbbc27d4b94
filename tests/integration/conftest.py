from collections.abc import Iterator

import psycopg
import pytest

from attemptlog.event_store.references import FIRST_WITH_NOT_ENFORCED
from attemptlog.local_stack import LocalStack
from attemptlog.migrations import upgrade
from examples.exam_platform.sessions.prepare import prepare
from tests.support.secured import login
from tests.support.services import temporary_database, with_database


@pytest.fixture
def private_database_url(private_stack: LocalStack) -> Iterator[str]:
    """A superuser's URL of a migrated database in the module's own PostgreSQL."""
    with temporary_database(private_stack.postgres.url) as name:
        url = with_database(private_stack.postgres.url, name)
        upgrade(url)
        yield url


@pytest.fixture(scope="module")
def owner_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """The example platform's database, for all tests of a module: each has candidates of its own."""
    with temporary_database(postgres_url, template=template_database) as name:
        url = with_database(postgres_url, name)
        prepare(url)
        yield url


@pytest.fixture(scope="module")
def platform_url(owner_url: str) -> str:
    """The database's URL for a login that has nothing but the rights of the role exam_platform."""
    return login(owner_url, "exam_platform", "a-password")


@pytest.fixture
def not_enforced(postgres_url: str) -> None:
    """Skips on a given server from before 18, which does not know NOT ENFORCED."""
    with psycopg.connect(postgres_url) as connection:
        if connection.info.server_version < FIRST_WITH_NOT_ENFORCED:
            pytest.skip("foreign keys are checked row by row here")
