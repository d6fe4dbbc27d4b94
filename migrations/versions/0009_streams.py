"""Events of pages count within a stream: one load of a page, or one device."""

from contextlib import nullcontext
from pathlib import Path

import sqlalchemy as sa
from alembic import context, op

from attemptlog.migrations.database import EVERY_TRANSACTION

revision = "0009"
down_revision = "0008"

HAS_EVENTS = sa.text("SELECT EXISTS (SELECT FROM attempt_events)")

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
    is_used = context.is_offline_mode() or op.get_bind().scalar(HAS_EVENTS)
    with op.get_context().autocommit_block() if is_used else nullcontext():
        for index in INDEXES:
            op.execute(index.format(concurrently="CONCURRENTLY" if is_used else ""))
    for statement in EVERY_TRANSACTION:  # what they set has ended with the first one
        op.execute(statement)
    op.execute(_read("up"))


def downgrade() -> None:
    op.execute(_read("down"))


def _read(step: str) -> str:
    return Path(__file__).with_suffix(f".{step}.sql").read_text("utf-8")
