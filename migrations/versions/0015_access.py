"""Who may see what is decided in the database, too."""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add a role, tables and views; no row is read, and nobody who writes waits."""
    op.execute(_read("up"))


def downgrade() -> None:
    op.execute(_read("down"))


def _read(step: str) -> str:
    return Path(__file__).with_suffix(f".{step}.sql").read_text("utf-8")
