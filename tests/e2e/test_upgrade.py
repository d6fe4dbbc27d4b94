"""The landed release and this one beside each other, under load, while the tables are migrated, and back again."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from attemptlog import migrations
from attemptlog.event_store.audit import settled_audit
from attemptlog.runtime.admin import Cluster
from tests.support import landed_release
from tests.support.consumer import dead_letters, query
from tests.support.documents import ROOT
from tests.support.eventually import PATIENCE, eventually
from tests.support.filled import ROWS, fill
from tests.support.fleet import INSTANCE, Fleet, launched
from tests.support.http import insert_exam
from tests.support.landed_release import revisions
from tests.support.lock_watch import LIMIT, watch_locks
from tests.support.pages import Pages, PageWithoutStream, bundle, reload
from tests.support.purge import run
from tests.support.services import temporary_database, with_database
from tests.support.storing import more_is_stored, storing

OURS = None  # instead of another release's tree
CANDIDATES = 6  # with a page of each release


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the landed release, from which its programs run."""
    tree = landed_release.unpack(tmp_path_factory.mktemp("landed") / "tree")
    imported = landed_release.python(tree, "-c", "import attemptlog.consumer as it; print(it.__file__)").stdout.strip()
    assert Path(imported).resolve().is_relative_to(tree.resolve())
    return tree


@pytest.fixture(scope="module")
def clients(landed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The bundles that pages had, and that they have."""
    folder = tmp_path_factory.mktemp("clients")
    return bundle(landed, folder / "old.mjs"), bundle(ROOT, folder / "new.mjs")


@pytest.fixture(scope="module")
def filled(landed: Path, postgres_url: str) -> Iterator[str]:
    """Name of a database as the landed release leaves it after many exams, to be copied."""
    with temporary_database(postgres_url) as name:
        url = with_database(postgres_url, name)
        assert landed_release.run(landed, "migrate", database_url=url).returncode == 0
        fill(url)
        yield name


@pytest.fixture
def landed_database(postgres_url: str, filled: str) -> Iterator[str]:
    """A superuser's URL of such a database of the test's own."""
    with temporary_database(postgres_url, template=filled) as name:
        yield with_database(postgres_url, name)


@pytest.fixture
async def fleet(kafka_bootstrap: str, topic: str, landed_database: str) -> AsyncIterator[Fleet]:
    """No gateway and no consumer yet, and the tables of the landed release."""
    async with launched(kafka_bootstrap, topic, landed_database) as it:
        yield it


async def test_exams_go_on_while_everything_is_replaced_and_put_back(
    fleet: Fleet, landed: Path, clients: tuple[Path, Path], record_property: Callable[[str, object], None]
) -> None:
    old, url, address = str(landed), fleet.database_url, fleet.front.url
    old_client, new_client = clients
    exams = [insert_exam(url) for _ in range(2 * CANDIDATES + 1)]
    some, others, without_stream = exams[:CANDIDATES], exams[CANDIDATES:-1], exams[-1]
    told: list[dict[str, Any]] = []

    old_consumers = fleet.add_consumer(old), fleet.add_consumer(old, consumer_instance_id=INSTANCE)
    old_gateway, *_ = await asyncio.gather(fleet.add_gateway(old), *old_consumers)
    async with PageWithoutStream(address, without_stream) as oldest_page:
        with Pages.open(new_client, address, others) as new_pages, watch_locks(url) as watch:
            with Pages.open(old_client, address, some) as old_pages:
                await fleet.works()

                await asyncio.to_thread(migrations.upgrade, url)
                await fleet.works()  # everything old on the new tables

                await fleet.replace_consumer(OURS)
                await fleet.works()  # old and new consumers share the partitions
                await fleet.remove_consumer()
                await fleet.works()  # a new consumer behind an old gateway

                new_gateway = await fleet.add_gateway(OURS)
                await fleet.works()  # both gateways for the same pages
                fleet.take_turns(new_gateway)
                await fleet.works()  # old pages in front of what is new
                told += await asyncio.to_thread(old_pages.close)

            with Pages.open(new_client, address, some) as reloaded:
                await fleet.works()  # everything new

                await fleet.replace_consumer(old)
                await fleet.works()  # an old consumer behind a new gateway

                fleet.take_turns(new_gateway, old_gateway)
                await fleet.remove_gateway(new_gateway)
                await asyncio.to_thread(migrations.downgrade, url, revisions(landed)[-1])
                await fleet.works()  # everything old, the tables, too, in front of new pages
                told += await asyncio.to_thread(reloaded.close)
            told += await asyncio.to_thread(new_pages.close)

    await asyncio.to_thread(migrations.upgrade, url)
    assert (await settled_audit(Cluster(fleet.servers), url, fleet.topic, PATIENCE)).problems() == []
    watch.assert_short()
    record_property(f"longest wait for a lock in an upgrade, {ROWS:,} rows", f"{1000 * watch.longest:.0f} ms")
    assert [page for page in told if page["dropped"] or page["refused"]] == []
    tracked = Counter({without_stream.session: oldest_page.accepted})
    for page in told:
        assert page["accepted"] == page["tracked"] > 0
        tracked[page["session"]] += page["tracked"]
    assert dict(query(url, STORED, [exam.session for exam in exams])) == tracked
    assert dead_letters(url) == {}


# Of each session, if the numbers of each stream are 1, 2, 3 and so on.
STORED = """
SELECT session_id::text, sum(events)::bigint
FROM (
    SELECT session_id, stream_id, count(*) AS events, min(seq) AS first, max(seq) AS last
    FROM attempt_events
    WHERE session_id = ANY(%s::uuid[])
    GROUP BY session_id, stream_id
) AS streams
GROUP BY session_id
HAVING bool_and(first = 1 AND last = events)
"""


@pytest.fixture
def stored_into(landed_database: str) -> Iterator[str]:
    """The URL of a database into which events come all the time."""
    with storing(landed_database):
        yield landed_database


def test_no_migration_keeps_a_consumer_waiting_up_or_down(
    stored_into: str, landed: Path, record_property: Callable[[str, object], None]
) -> None:
    landed_head = revisions(landed)[-1]
    up = [revision for revision in revisions(ROOT) if revision > landed_head]
    assert up[-1] == migrations.head()
    down = [*up[-2::-1], landed_head]
    steps = [(migrations.upgrade, each) for each in up] + [(migrations.downgrade, each) for each in down]
    for migrate, revision in steps:
        with watch_locks(stored_into) as watch:
            began_at = time.monotonic()
            migrate(stored_into, revision)
            seconds = time.monotonic() - began_at
            asyncio.run(more_is_stored(stored_into))
        watch.assert_short()
        record_property(
            f"{migrate.__name__} to {revision}, {ROWS:,} rows",
            f"{1000 * seconds:.0f} ms, longest wait for a lock {1000 * watch.longest:.0f} ms",
        )


@pytest.mark.parametrize("way", [1, -1], ids=["new", "old"])
def test_what_a_page_could_not_send_the_other_releases_client_sends_after_a_reload(
    clients: tuple[Path, Path], way: int
) -> None:
    own, left = reload(*clients[::way])
    assert own["stream_id"] != left["stream_id"]
    sent = [(event["seq"], event["payload"]["choice"]) for batch in (left, own) for event in batch["events"]]
    assert sent == [(1, 1), (2, 2), (3, 3), (1, 4)]


async def test_an_exporter_goes_on_where_that_of_the_other_release_was(
    landed: Path, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = empty_database_url
    exports = {"database_url": url, "export_parquet_directory": str(tmp_path / "events")}
    monkeypatch.setenv("ATTEMPTLOG_EXPORT_PARQUET_DIRECTORY", exports["export_parquet_directory"])
    once = "export", "run", "--target", "parquet", "--once"
    migrations.upgrade(url, revisions(landed)[-1])
    for _ in range(2):  # on its own tables, and on the new ones
        await store_a_few(url)
        exported = await asyncio.to_thread(landed_release.run, landed, *once, **exports)
        assert exported.returncode == 0, exported.stderr
        migrations.upgrade(url)
    await store_a_few(url)
    assert run(url, *once, "--by", "ada", "--why", "nightly").exit_code == 0
    audit = run(url, "audit", "--target", "parquet")
    assert audit.exit_code == 0, audit.output


async def store_a_few(database_url: str) -> None:
    with storing(database_url):
        await more_is_stored(database_url)


def test_the_page_says_which_tables_the_landed_release_had(landed: Path) -> None:
    page = (ROOT / "docs/upgrading.md").read_text()
    assert re.findall(r"`attemptlog migrate --down (\d+)`", page) == [revisions(landed)[-1]]


async def test_a_lock_that_a_migration_would_hold_for_long_is_seen(stored_into: str) -> None:
    with watch_locks(stored_into) as watch, psycopg.connect(stored_into) as migrating:
        migrating.execute("LOCK TABLE attempt_events IN ACCESS EXCLUSIVE MODE")
        await eventually(lambda: watch.longest > LIMIT)
        migrating.rollback()
    with pytest.raises(AssertionError, match=r"a service waited for 1\.\d\d s for a lock"):
        watch.assert_short()
    assert watch.count == 1
