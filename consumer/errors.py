"""What can go wrong with Kafka, named by what the caller should do; event_store has the errors of PostgreSQL."""


class TopicUnavailable(Exception):
    """Kafka does not answer, or lacks the topic: try again."""
