import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import pytest

from attemptlog.exporter.comparison import compare
from attemptlog.exporter.errors import SetUpError
from attemptlog.exporter.scratch import PREFIX, remove_left, scratch


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_files_go_with_the_batch(folder: Path) -> None:
    with scratch() as place:
        (place / "rows").write_bytes(b"1")
        assert list(folder.iterdir()) == [place]
    assert list(folder.iterdir()) == []


HOLD = """
import sys
from attemptlog.exporter.scratch import scratch
with scratch() as place:
    (place / "rows").write_bytes(b"1")
    print(place, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_exporter_left_is_removed_at_once_and_nothing_else(folder: Path) -> None:
    (folder / "somebody-elses").mkdir()
    (folder / f"{PREFIX}link").symlink_to(folder / "somebody-elses")
    command, environment = [sys.executable, "-c", HOLD], os.environ | {"TMPDIR": str(folder)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as exporter:
        assert exporter.stdout
        place = Path(exporter.stdout.readline().strip())
        remove_left()
        assert (place / "rows").exists()
        exporter.kill()
    remove_left()
    assert {path.name for path in folder.iterdir()} == {f"{PREFIX}link", "somebody-elses"}


def test_no_place_for_temporary_files_is_told_in_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
    with pytest.raises(SetUpError, match=r"nowhere.*No such file or directory"):
        compare(date(2026, 3, 2), [], [], 0)
