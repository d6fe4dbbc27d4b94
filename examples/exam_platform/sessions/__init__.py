"""A session service as a platform would write it: its own tables in PostgreSQL, its events by publisher.EventLogger."""
