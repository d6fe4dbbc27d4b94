"""Indexes of attempt_events beside whoever writes."""

from collections.abc import Iterable
from contextlib import nullcontext

import sqlalchemy as sa
from alembic import context, op

from attemptlog.migrations.database import EVERY_TRANSACTION

HAS_EVENTS = sa.text("SELECT EXISTS (SELECT FROM attempt_events)")


def make_indexes(statements: Iterable[str]) -> None:
    """Make indexes by statements with `{concurrently}` in them, which is CONCURRENTLY where there are events.

    The migration's transaction ends before that, and another begins after it: what is interrupted can be run again.
    """
    is_used = context.is_offline_mode() or op.get_bind().scalar(HAS_EVENTS)
    with op.get_context().autocommit_block() if is_used else nullcontext():
        for statement in statements:
            op.execute(statement.format(concurrently="CONCURRENTLY" if is_used else ""))
    for statement in EVERY_TRANSACTION:  # what they set has ended with the first one
        op.execute(statement)
