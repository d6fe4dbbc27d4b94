"""The worker: batches from Kafka into PostgreSQL, each record accounted for exactly once."""

from attemptlog.runtime.extras import require

require("consumer", __name__)
