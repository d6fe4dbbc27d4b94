"""Rows per core-second out of PostgreSQL, exporter and backend together, and the exporter's memory.

The parent starts processes of this module, so that starting and importing is no part of what is measured.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from attemptlog.exporter.parquet import ParquetDirectory
from attemptlog.exporter.passes import open_pass
from benchmarks.figures import Figure, Target, at_least, in_rounds
from benchmarks.processes import ROOT
from benchmarks.stage import Stage
from benchmarks.table_size import fill

MAX_RSS_MB = 400.0
GONE_WITHIN = 10.0  # seconds until a backend whose client has left is gone
COPY_CSV = "COPY attempt_events TO STDOUT (FORMAT csv)"


@dataclass(frozen=True, slots=True)
class Run:
    """What one process did; CPU in seconds."""

    rows: int
    cpu: float
    rss_mb: float


def measure(stage: Stage) -> list[Figure]:
    """Return the rows of the export."""
    rates, memory, wrong = defaultdict[str, list[float]](list), list[float](), list[str]()
    rows = stage.scale.backlog
    with stage.database() as database:
        stage.say(f"filling a table with {rows:,} rows …")
        fill(database, rows)
        stored = _count(database)
        for number in range(stage.scale.rounds):
            for name in ("csv", "parquet"):
                stage.say(f"export, round {number + 1} of {stage.scale.rounds}: {name} …")
                run, backend = _run(stage, name, database)
                rates[name].append(run.rows / (run.cpu + backend))
                if run.rows != stored:
                    wrong.append(f"export to {name}: {run.rows} rows of {stored}")
                if name == "parquet":
                    memory.append(run.rss_mb)
    return [
        in_rounds(
            "export to Parquet, per core-second",
            rates["parquet"],
            "rows",
            at_least(0.8),
            against=("COPY to CSV", rates["csv"]),
            wrong=tuple(wrong),
        ),
        in_rounds(f"export of {rows:,} rows, memory", memory, "MB", Target("≤", MAX_RSS_MB)),
    ]


def _run(stage: Stage, name: str, database: str) -> tuple[Run, float]:
    """Run one process, and return what it says and the CPU that PostgreSQL spent meanwhile."""
    server = _postmaster(database)
    before = _spent(server)
    with tempfile.TemporaryDirectory(dir=stage.stack.directory) as directory:
        command = [sys.executable, "-m", "benchmarks.export", name, database, directory]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    deadline = time.monotonic() + GONE_WITHIN
    while _backends(database) and time.monotonic() < deadline:
        time.sleep(0.05)
    return Run(**json.loads(done.stdout)), _spent(server) - before


def _postmaster(database: str) -> psutil.Process:
    with psycopg.connect(database) as connection:
        found = psutil.Process(connection.info.backend_pid).parent()
    assert found is not None
    return found


def _spent(server: psutil.Process) -> float:
    """Return the CPU seconds of a server, of its processes and of those that have ended."""
    own = server.cpu_times()
    spent = float(own.children_user + own.children_system)
    for process in server.children():
        with suppress(psutil.NoSuchProcess):  # one that has just ended was a look of ours
            living = process.cpu_times()
            spent += living.user + living.system
    return spent


def _backends(database: str) -> int:
    with psycopg.connect(database) as connection:
        [(others,)] = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return int(others)


def _count(database: str) -> int:
    with psycopg.connect(database) as connection:
        [(rows,)] = connection.execute("SELECT count(*) FROM attempt_events").fetchall()
    return int(rows)


def export_parquet(database: str, directory: Path) -> int:
    """Export everything, as the exporter does."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("TRUNCATE export_batches, export_targets")
    with open_pass(database, "bench", ParquetDirectory(directory / "events")) as one:
        return sum(receipt.rows for receipt in one.export())


def copy_csv(database: str, directory: Path) -> int:
    """Copy the table into a file."""
    rows = 0
    with (
        psycopg.connect(database) as connection,
        (directory / "events.csv").open("wb") as file,
        connection.cursor().copy(COPY_CSV) as copy,
    ):
        for rows, data in enumerate(copy, 1):  # noqa: B007 - PostgreSQL sends each row as a message
            file.write(data)
    return rows


WAYS: dict[str, Callable[[str, Path], int]] = {"csv": copy_csv, "parquet": export_parquet}


def main(name: str, database: str, directory: str) -> None:
    """Do it once, and print what it took."""
    before = time.process_time()
    rows = WAYS[name](database, Path(directory))
    cpu = time.process_time() - before
    print(json.dumps({"rows": rows, "cpu": cpu, "rss_mb": peak_rss_mb()}))


def peak_rss_mb() -> float:
    """Return the most memory that this program has had; getrusage tells that of whoever started it, if it was more."""
    [line] = [it for it in Path("/proc/self/status").read_text().splitlines() if it.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
