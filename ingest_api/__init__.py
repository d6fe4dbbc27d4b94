"""The HTTP gateway: batches of events in, envelopes to Kafka out. It never writes to PostgreSQL."""

from attemptlog.runtime.extras import require

require("gateway", __name__)
