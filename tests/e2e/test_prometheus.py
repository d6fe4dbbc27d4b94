"""A real Prometheus beside a real pipeline: the dashboards have data, and an outage is told and taken back."""

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from attemptlog.local_stack import LocalStack
from attemptlog.migrations import upgrade
from tests.support.consumer import consumer
from tests.support.dashboards import queries
from tests.support.eventually import eventually
from tests.support.exporter import exporter
from tests.support.http import Caller, Exam, gateway, insert_exam
from tests.support.prometheus import Prometheus, prometheus
from tests.support.services import create_topic, temporary_database, with_database

RATE_INTERVAL = "10s"  # Grafana takes four scrapes at least; here are forty


@pytest.fixture
def watched(private_stack: LocalStack, tmp_path: Path) -> Iterator[tuple[Caller, Exam, Prometheus]]:
    """A gateway, a consumer and an exporter, somebody who posts, and a Prometheus that scrapes them."""
    servers = private_stack.kafka.bootstrap_servers
    topic = asyncio.run(create_topic(servers))
    with temporary_database(private_stack.postgres.url) as name:
        url = with_database(private_stack.postgres.url, name)
        upgrade(url)
        exam = insert_exam(url)
        with (
            gateway(servers, url, topic) as address,
            consumer(servers, url, topic) as worker,
            exporter(url, tmp_path / "exported") as exporting,
        ):
            targets = {
                "attemptlog-gateway": address,
                "attemptlog-consumer": f"http://127.0.0.1:{worker.port}",
                "attemptlog-exporter": exporting,
            }
            with prometheus(tmp_path, targets) as it:
                caller = Caller(address, exam.user)
                with caller.client:
                    yield caller, exam, it


async def test_dashboards_have_data_and_an_alert_fires_while_postgresql_is_away(
    watched: tuple[Caller, Exam, Prometheus],
    private_stack: LocalStack,
    record_property: Callable[[str, object], None],
) -> None:
    caller, exam, it = watched
    await eventually(lambda: it.healthy_targets() == 3)
    assert caller.post_events(*[exam.event(seq=seq) for seq in range(10)]).status_code == 202
    await eventually(lambda: it.query("sum(attemptlog_exporter_rows_total) == 10"))
    for panel, query in queries(RATE_INTERVAL):
        assert await eventually(partial(it.query, query)), panel
    assert "DatabaseAway" not in it.alerts()

    stopped_at = time.monotonic()
    await asyncio.to_thread(private_stack.postgres.stop, "immediate")
    assert caller.post_events(exam.event(seq=10)).status_code == 202
    fired = await eventually(lambda: it.alerts().get("DatabaseAway"))
    assert fired["annotations"]["runbook"] == "docs/runbook.md#databaseaway"
    record_property("an alert after PostgreSQL was stopped", f"{time.monotonic() - stopped_at:.1f} s: {fired}")
    assert not {"KafkaAway", "EventsLost", "ConsumerGone", "TargetDown"} & it.alerts().keys()

    await asyncio.to_thread(private_stack.postgres.start)
    started_at = time.monotonic()
    await eventually(lambda: "DatabaseAway" not in it.alerts())
    record_property("its end after PostgreSQL was started", f"{time.monotonic() - started_at:.1f} s")
    await eventually(lambda: it.query('sum(attemptlog_consumer_records_total{outcome="inserted"}) == 11'))
