"""Two streams of rows, PostgreSQL's and a target's, compared by id, in bounded memory.

Both are parted by their ids on the disk first, and then one part's rows are compared in memory after the other's: a
hash join as Kitsuregawa, Tanaka and Moto-oka describe it (1983). The end of a UUID is random, whatever its version.
"""

import itertools
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from attemptlog.exporter.pairs import PAIR
from attemptlog.exporter.rows import HELD, IDENTITY, Chunk
from attemptlog.exporter.scratch import scratch

KINDS = ("missing", "doubled", "foreign", "changed", "pending", "kept")

EXPECTED = pa.schema([*IDENTITY, pa.field("is_exported", pa.bool_())])

Explain = Callable[[Any], Any]
"""Of rows that only the target has, by their PAIR: returns `pending`, `kept` or `foreign` for each of them."""

PART_ROWS = 100_000  # whose comparison takes about 100 MB
MAX_PARTS = 512  # files that are open at once, of the 1,024 that most systems allow
ENDS = pa.array(["".join(digits) for digits in itertools.product("0123456789abcdef", repeat=3)])
SAMPLE = 5  # ids of a kind that are named


@dataclass(slots=True)
class Difference:
    """What differs on a day: how many rows are missing, in the target twice or more, in it and not in PostgreSQL,
    or other than there; and some of their ids.

    Of what is not in PostgreSQL, `pending` is of a purge that is not done in the target yet, and `kept` of a retention
    that leaves it there, which is no fault.
    """

    day: date
    missing: int = 0
    doubled: int = 0
    foreign: int = 0
    changed: int = 0
    pending: int = 0
    kept: int = 0
    sample: dict[str, list[str]] = field(default_factory=dict)

    def is_fault(self, *, allow_pending: bool) -> bool:
        """Say whether something is wrong with the day."""
        is_wrong = bool(self.missing or self.doubled or self.foreign or self.changed)
        return is_wrong or (self.pending > 0 and not allow_pending)

    def add(self, kind: str, ids: Any) -> None:
        """Take up what a part has of a kind."""
        if len(ids):
            setattr(self, kind, getattr(self, kind) + len(ids))
            self.sample[kind] = (self.sample.get(kind, []) + ids.slice(0, SAMPLE).to_pylist())[:SAMPLE]


def compare(
    day: date, stored: Iterable[Chunk], held: Iterable[Chunk], rows: int, explain: Explain | None = None
) -> Difference:
    """Compare what is stored (EXPECTED) with what is held (HELD), about so many rows each; both are read once.

    What is held is read first: who is forgotten in between is in neither. Temporary files take about 170 bytes a row.
    Raises what these iterables and `explain` do, and what `scratch` does.
    """
    parts = min(1 + rows // PART_ROWS, MAX_PARTS)
    found = Difference(day)
    with scratch() as folder:
        ours, theirs = folder / "stored", folder / "held"
        write_parts(theirs, held, HELD, parts)
        write_parts(ours, stored, EXPECTED, parts)
        for number in range(parts):
            compare_part(part(ours, number), counted(part(theirs, number)), found, explain or as_foreign)
    return found


def write_parts(folder: Path, chunks: Iterable[Chunk], schema: Any, parts: int) -> None:
    """Write the rows into as many files."""
    folder.mkdir()
    with ExitStack() as exits:
        files = [_opened(exits, folder / str(number), schema) for number in range(parts)]
        for chunk in chunks:
            rows = pa.RecordBatch.from_arrays([chunk.column(name) for name in schema.names], schema=schema)
            numbers = part_numbers(rows, parts)
            for number in pc.unique(numbers).to_pylist():
                files[number].write_batch(rows.filter(pc.equal(numbers, number)))


def part(folder: Path, number: int) -> Any:
    """Read a part's rows."""
    with pa.OSFile(str(folder / str(number))) as file, pa.ipc.open_stream(file) as reader:
        return reader.read_all()


def part_numbers(rows: Chunk, parts: int) -> Any:
    """Return which part each row belongs to, by the last three digits of its id; one without them is in the first."""
    ends = pc.fill_null(pc.index_in(pc.utf8_slice_codeunits(rows.column("id"), -3), ENDS), 0)
    return pc.divide(pc.multiply(ends, parts), len(ENDS))


def counted(rows: Any) -> Any:
    """Return a row per id: how often it is there, the least and the greatest hash it has, and whose it is."""
    whose = [(name, "min") for name in PAIR.names]
    sums = [("id", "count"), ("row_hash", "min"), ("row_hash", "max"), *whose]
    return rows.group_by("id", use_threads=False).aggregate(sums)


def compare_part(ours: Any, theirs: Any, found: Difference, explain: Explain) -> None:
    """Add what differs in a part; `theirs` is counted."""
    both = ours.join(theirs, "id", join_type="full outer", coalesce_keys=False, right_suffix="_held", use_threads=False)
    is_held, is_stored = pc.is_valid(both["id_held"]), pc.is_valid(both["id"])
    is_other = pc.or_(
        pc.not_equal(both["row_hash"], both["row_hash_min"]), pc.not_equal(both["row_hash"], both["row_hash_max"])
    )
    kinds = {
        "missing": pc.and_(pc.invert(is_held), pc.equal(both["is_exported"], True)),
        "doubled": pc.greater(both["id_count"], 1),
        "changed": pc.and_(is_held, is_other),
    }
    ids = pc.coalesce(both["id"], both["id_held"])
    for kind, mask in kinds.items():
        found.add(kind, ids.filter(pc.fill_null(mask, False)))
    if (nowhere := both.filter(pc.and_(is_held, pc.invert(is_stored)))).num_rows:
        reasons = explain(nowhere.select([f"{name}_min" for name in PAIR.names]).rename_columns(PAIR.names))
        for kind in pc.unique(reasons).to_pylist():
            found.add(kind, nowhere["id_held"].filter(pc.equal(reasons, kind)))


def as_foreign(pairs: Any) -> Any:
    """Nothing is known of anybody."""
    return pa.repeat("foreign", pairs.num_rows)


def _opened(exits: ExitStack, path: Path, schema: Any) -> Any:
    sink = exits.enter_context(pa.OSFile(str(path), "wb"))
    return exits.enter_context(pa.ipc.new_stream(sink, schema))
