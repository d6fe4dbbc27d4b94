"""The worker: batches from Kafka into PostgreSQL, each record accounted for exactly once."""
