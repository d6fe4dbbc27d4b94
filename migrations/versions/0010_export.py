"""Events carry the transaction that stored them, and what is exported is kept account of."""

from contextlib import nullcontext
from pathlib import Path

import sqlalchemy as sa
from alembic import context, op

from attemptlog.migrations.database import EVERY_TRANSACTION

revision = "0010"
down_revision = "0009"

HAS_EVENTS = sa.text("SELECT EXISTS (SELECT FROM attempt_events)")
INDEX = "CREATE INDEX {concurrently} IF NOT EXISTS attempt_events_export_xid_idx ON attempt_events (export_xid)"


def upgrade() -> None:
    """Add the column and its index; where there are events, in three steps, none of which keeps writers waiting.

    What is interrupted between two of them can be run again.
    """
    op.execute(_read("columns"))
    is_used = context.is_offline_mode() or op.get_bind().scalar(HAS_EVENTS)
    with op.get_context().autocommit_block() if is_used else nullcontext():
        op.execute(INDEX.format(concurrently="CONCURRENTLY" if is_used else ""))
    for statement in EVERY_TRANSACTION:  # what they set has ended with the first one
        op.execute(statement)
    op.execute(_read("up"))


def downgrade() -> None:
    op.execute(_read("down"))


def _read(step: str) -> str:
    return Path(__file__).with_suffix(f".{step}.sql").read_text("utf-8")
