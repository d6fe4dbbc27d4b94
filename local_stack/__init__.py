"""A real one-node Apache Kafka and a real PostgreSQL on this machine, from pip packages only."""

from attemptlog.runtime.extras import require

require("local", __name__)

from attemptlog.local_stack.errors import LocalStackError
from attemptlog.local_stack.kafka import KafkaBroker
from attemptlog.local_stack.postgres import PostgresServer
from attemptlog.local_stack.stack import LocalStack, stop_leftovers

__all__ = ["KafkaBroker", "LocalStack", "LocalStackError", "PostgresServer", "stop_leftovers"]
