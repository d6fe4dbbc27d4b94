import os
import tempfile
import time
from datetime import date
from pathlib import Path

import pytest

from attemptlog.exporter.comparison import compare
from attemptlog.exporter.errors import SetUpError
from attemptlog.exporter.scratch import LEFT_AFTER, PREFIX, scratch


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


def test_what_a_killed_exporter_left_is_removed_and_nothing_else(folder: Path) -> None:
    day_ago = time.time() - LEFT_AFTER.total_seconds()
    ages = {f"{PREFIX}old": -60, f"{PREFIX}at-work": 600, "somebody-elses": -60}
    for name, age in ages.items():
        (folder / name).mkdir()
        (folder / name / "rows").write_bytes(b"1")
        os.utime(folder / name, (day_ago + age, day_ago + age))
    (folder / f"{PREFIX}link").symlink_to(folder / "somebody-elses")
    with scratch():
        pass
    assert {path.name for path in folder.iterdir()} == {f"{PREFIX}at-work", f"{PREFIX}link", "somebody-elses"}
    assert (folder / "somebody-elses" / "rows").exists()


def test_no_place_for_temporary_files_is_told_in_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
    with pytest.raises(SetUpError, match=r"nowhere.*No such file or directory"):
        compare(date(2026, 3, 2), [], [], 0)
