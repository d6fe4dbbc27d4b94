import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.browser import chromium
from tests.support.http import Caller, Exam, insert_exam
from tests.support.services import create_topic, temporary_database, with_database


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as it:
        yield it


@pytest.fixture(scope="module")
def module_topic(kafka_bootstrap: str) -> str:
    """Name of a topic of the module's own."""
    return asyncio.run(create_topic(kafka_bootstrap))


@pytest.fixture(scope="module")
def database(postgres_url: str, template_database: str) -> Iterator[str]:
    """A superuser's URL of a migrated database of the module's own."""
    with temporary_database(postgres_url, template=template_database) as name:
        yield with_database(postgres_url, name)


@pytest.fixture(scope="module")
def exam(database: str) -> Exam:
    return insert_exam(database)


@pytest.fixture(scope="module")
def caller(url: str, exam: Exam) -> Iterator[Caller]:
    """The exam's user, posting to the gateway that the module names `url`."""
    it = Caller(url, exam.user)
    with it.client:
        yield it
