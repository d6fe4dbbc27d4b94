"""What the events of a session say, and where they do not."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add a table and views; no row is read, and nobody who writes waits."""
    op.execute(_read("up"))


def downgrade() -> None:
    op.execute(_read("down"))


def _read(step: str) -> str:
    return Path(__file__).with_suffix(f".{step}.sql").read_text("utf-8")
