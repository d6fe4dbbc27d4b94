"""What takes long to import is imported by who needs it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("attemptlog.cli.export", {"pyarrow", "adbc_driver_manager"}),  # its status needs none of them
        ("attemptlog.cli.up", {"jgo", "requests", "fastapi", "faststream"}),  # the first start downloads
        ("examples.exam_platform.sessions.__main__", {"uvicorn", "fastapi"}),  # making tables
    ],
)
def test_a_command_does_not_wait_for_what_it_may_not_need(module: str, others: set[str]) -> None:
    code = f"import sys, {module}\nprint(*({others!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
