"""A candidate goes on at another device while the consumer is behind: real processes, Kafka and PostgreSQL."""

from typing import Any

from attemptlog.event_store.audit import take_audit
from attemptlog.runtime.admin import Cluster
from tests.support.consumer import consumer, consumer_role, dead_letters, query
from tests.support.eventually import eventually
from tests.support.http import Caller, Exam, gateway, insert_exam

FIRST_DEVICE, SECOND_DEVICE = "0192f3a1-52c4-4d21-9d3e-8a1f6c0b7e01", "0192f3a1-52c4-4d21-9d3e-8a1f6c0b7e02"
OLD_PAGE = None

STORED = "SELECT stream_id::text, array_agg(seq ORDER BY seq) FROM attempt_events GROUP BY stream_id"


def batch(exam: Exam, device: str | None, choice: int, sent_at: str = "2026-03-02T09:14:06Z") -> dict[str, Any]:
    """Return thirty answers of a device, which counts from 1."""
    events = [exam.event(seq=seq, payload={"choice": choice}) for seq in range(1, 31)]
    told = {"stream_id": device, "sent_at": sent_at, "dropped": {"too_large": 2}} if device else {}
    return {"source": "web", "events": events} | told


async def test_every_event_of_the_second_device_is_stored_though_nobody_knew_where_the_first_one_was(
    kafka_bootstrap: str, topic: str, database_url: str
) -> None:
    exam = insert_exam(database_url)
    with gateway(kafka_bootstrap, database_url, topic) as url:
        caller = Caller(url, exam.user)
        with caller.client:
            for choice, device in enumerate((FIRST_DEVICE, SECOND_DEVICE, OLD_PAGE)):
                assert caller.post(batch(exam, device, choice)).json()["accepted"] == 30
            assert caller.post(batch(exam, SECOND_DEVICE, 1, "2026-03-02T09:14:09Z")).json()["accepted"] == 30
            metrics = caller.client.get("/metrics").text
    assert 'attemptlog_ingest_events_dropped_by_pages_total{reason="too_large"} 4.0' in metrics

    with consumer_role(database_url) as role_url, consumer(kafka_bootstrap, role_url, topic) as process:
        await eventually(lambda: process.metric("records_total", outcome="duplicate") == 30)
        assert process.stop() == 0

    everything = list(range(1, 31))
    assert dict(query(database_url, STORED)) == dict.fromkeys((FIRST_DEVICE, SECOND_DEVICE, OLD_PAGE), everything)
    assert dead_letters(database_url) == {}
    assert (await take_audit(Cluster(kafka_bootstrap), database_url, topic)).problems() == []
    dropped = "SELECT stream_id::text, dropped FROM stream_completeness WHERE dropped IS NOT NULL"
    assert dict(query(database_url, dropped)) == {FIRST_DEVICE: {"too_large": 2}, SECOND_DEVICE: {"too_large": 2}}
