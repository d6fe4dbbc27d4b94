"""Events of pages count within a stream: one load of a page, or one device."""

from pathlib import Path

from alembic import op

from attemptlog.migrations.online import make_indexes

revision = "0009"
down_revision = "0008"


# Each event is in one of them only, so that it costs what it cost in the one there was.
INDEXES = (
    """
    CREATE UNIQUE INDEX {concurrently} IF NOT EXISTS attempt_events_session_id_seq_idx
    ON attempt_events (session_id, seq)
    WHERE stream_id IS NULL
    """,
    """
    CREATE UNIQUE INDEX {concurrently} IF NOT EXISTS attempt_events_session_id_stream_id_seq_idx
    ON attempt_events (session_id, stream_id, seq)
    WHERE stream_id IS NOT NULL
    """,
)


def upgrade() -> None:
    """Add the columns and indexes; where there are events, in three steps, none of which keeps writers waiting.

    What is interrupted between two of them can be run again.
    """
    op.execute(_read("columns"))
    make_indexes(INDEXES)
    op.execute(_read("up"))


def downgrade() -> None:
    op.execute(_read("down"))


def _read(step: str) -> str:
    return Path(__file__).with_suffix(f".{step}.sql").read_text("utf-8")
