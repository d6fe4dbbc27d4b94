"""The figures of sessions are worked out once, and again when something of the session is stored."""

from pathlib import Path

from alembic import op

from attemptlog.migrations.online import make_indexes

revision = "0014"
down_revision = "0013"

INDEX = "CREATE INDEX {concurrently} IF NOT EXISTS dead_letters_changed_xid_idx ON dead_letters (changed_xid)"
BEFORE = Path(__file__).with_name("0013_indicators.up.sql")


def upgrade() -> None:
    """Add tables, a column and triggers; no row is read, and where there are events, the index keeps nobody waiting.

    What is interrupted between two steps can be run again.
    """
    op.execute(_read("columns"))
    make_indexes([INDEX])
    op.execute(_read("views"))
    op.execute(_read("up"))


def downgrade() -> None:
    """Forget what was worked out; the views are again what 0013 made them, and keep whom they were granted to."""
    op.execute(_read("down"))
    op.execute(BEFORE.read_text("utf-8").replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    op.execute(_read("views.down"))
    op.execute(_read("tables.down"))


def _read(step: str) -> str:
    return Path(__file__).with_suffix(f".{step}.sql").read_text("utf-8")
