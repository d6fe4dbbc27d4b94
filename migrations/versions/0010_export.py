"""Events carry the transaction that stored them, and what is exported is kept account of."""

from pathlib import Path

from alembic import op

from attemptlog.migrations.online import make_indexes

revision = "0010"
down_revision = "0009"

INDEX = "CREATE INDEX {concurrently} IF NOT EXISTS attempt_events_export_xid_idx ON attempt_events (export_xid)"


def upgrade() -> None:
    """Add the column and its index; where there are events, in three steps, none of which keeps writers waiting.

    What is interrupted between two of them can be run again.
    """
    op.execute(_read("columns"))
    make_indexes([INDEX])
    op.execute(_read("up"))


def downgrade() -> None:
    op.execute(_read("down"))


def _read(step: str) -> str:
    return Path(__file__).with_suffix(f".{step}.sql").read_text("utf-8")
