"""What operators look at: the ledger, dead letters and what is stored, and of no event whose it is."""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add functions, a view and grants; no row is read, and nobody who writes waits."""
    op.execute(_read("up"))


def downgrade() -> None:
    op.execute(_read("down"))


def _read(step: str) -> str:
    return Path(__file__).with_suffix(f".{step}.sql").read_text("utf-8")
