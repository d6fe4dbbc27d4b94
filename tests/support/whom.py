"""Whom a target is to forget, for tests."""

import pyarrow as pa
import pyarrow.compute as pc

from attemptlog.exporter.pairs import Pairs, count


class Whom:
    """Picks persons and sessions by their ids, and counts the rows that it has picked."""

    def __init__(self, *ids: str) -> None:
        self._ids = pa.array(ids, pa.string())
        self.rows = 0

    def __call__(self, pairs: Pairs) -> Pairs:
        is_one = [pc.is_in(pairs.column(name), value_set=self._ids) for name in ("user_id", "session_id")]
        chosen = pairs.filter(pc.or_(*is_one))
        self.rows += count(chosen)
        return chosen
