"""The short version of `make chaos`: every fault at least once."""

import subprocess
import sys
from pathlib import Path

import pytest

from chaos.faults import FAULTS

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_under_every_fault_each_accepted_event_is_accounted_for() -> None:
    command = [sys.executable, "-m", "chaos", "--rounds", "7", "--seed", "1", "--lock-seconds", "3"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("seed 1\n")
    assert all(fault in run.stdout for fault in FAULTS)
