"""The exporter as a real process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attemptlog.local_stack.ports import free_port


@contextmanager
def exporter(database_url: str, folder: Path) -> Iterator[str]:
    """Export to a directory of Parquet files every second, and yield the URL of health and metrics."""
    port = free_port()
    settings = {
        "DATABASE_URL": database_url,
        "EXPORT_INTERVAL": "1",
        "EXPORT_PARQUET_DIRECTORY": str(folder),
        "EXPORTER_HOST": "127.0.0.1",
        "EXPORTER_PORT": str(port),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "attemptlog.cli", "export", "run"],
        env=os.environ | {f"ATTEMPTLOG_{name}": value for name, value in settings.items()},
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
