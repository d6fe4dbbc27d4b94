"""Quix Streams' PostgreSQLSink as a consumer of the topic; runs in a virtual environment of its own.

Settings, from the environment: those of our consumer that say where and what.
"""

import os
from urllib.parse import unquote, urlsplit

from quixstreams import Application
from quixstreams.sinks.community.postgresql import PostgreSQLSink

BATCH = 10_000  # records, as many as our consumer takes at a time


def main() -> None:
    """Store until SIGTERM."""
    url = urlsplit(os.environ["ATTEMPTLOG_DATABASE_URL"])
    sink = PostgreSQLSink(
        host=url.hostname,
        port=url.port,
        dbname=url.path.lstrip("/"),
        user=url.username,
        password=unquote(url.password or ""),
        table_name="attempt_events",
        schema_auto_update=False,
        on_conflict_do_nothing=True,
        include_metadata=False,
    )
    application = Application(
        broker_address=os.environ["ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS"],
        consumer_group=os.environ["ATTEMPTLOG_CONSUMER_GROUP"],
        auto_offset_reset="earliest",
        commit_every=BATCH,
        auto_create_topics=False,
        loglevel="WARNING",
    )
    topic = application.topic(os.environ["ATTEMPTLOG_TOPIC"], value_deserializer="json", key_deserializer="str")
    application.dataframe(topic).sink(sink)
    application.run()


if __name__ == "__main__":
    main()
