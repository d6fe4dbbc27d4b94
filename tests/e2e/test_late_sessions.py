"""An event that comes before its session does, between a real Kafka, a real PostgreSQL and a running consumer."""

from attemptlog.event_store.audit import take_audit
from attemptlog.publisher import KafkaPublisher
from attemptlog.runtime.admin import Cluster
from tests.support.consumer import consumer, consumer_role, dead_letters, envelope, query, stored_ids
from tests.support.eventually import eventually
from tests.support.http import insert_exam
from tests.support.letters import add_session


async def test_an_event_whose_session_is_created_late_is_stored_without_anybody_acting(
    kafka_bootstrap: str, topic: str, database_url: str
) -> None:
    exam, late = insert_exam(database_url), "01890a5d-ac96-774b-bcce-b302099a8057"
    events = [envelope(exam, seq, session_id=late) for seq in (1, 2, 3)]
    settings = {"unknown_session_retry_interval": "0.1"}
    with consumer_role(database_url) as url, consumer(kafka_bootstrap, url, topic, **settings) as process:
        async with KafkaPublisher(kafka_bootstrap, topic=topic) as publisher:
            await eventually(lambda: publisher.is_ready)
            await publisher.publish([*events, envelope(exam, 1)])
        await eventually(lambda: len(dead_letters(database_url)) == len(events))
        add_session(database_url, late, exam.user)
        await eventually(lambda: len(stored_ids(database_url)) == len(events) + 1)
        await eventually(lambda: process.metric("dead_letters_retried_total", outcome="inserted") == len(events))
        assert process.stop() == 0

    assert query(database_url, "SELECT DISTINCT reason, replay_outcome FROM dead_letters") == [
        ("unknown_session", "inserted")
    ]
    assert query(database_url, "SELECT DISTINCT replayed_by FROM dead_letter_replays") == ["attemptlog-consumer"]
    found = await take_audit(Cluster(kafka_bootstrap), database_url, topic)
    assert found.problems() == []
    assert (found.replayed_in_all, found.events) == (len(events), len(events) + 1)
