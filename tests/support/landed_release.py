"""The release before this one, as its users have it: unpacked from the repository's history, and its programs run."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.documents import ROOT

COMMIT = "9eff1cd7416c6c20d97480ce268bdc8c701ead74"
"""What was released last, version 0.1.0: the one place that says so. CONTRIBUTING's steps of a release move it."""


def unpack(folder: Path, commit: str = COMMIT) -> Path:
    """Write the release's tree into a new folder and return that; skips the test where the history is not there."""
    archive = _git("archive", "--format=tar", commit) if shutil.which("git") else None
    if archive is None or archive.returncode:
        pytest.skip(
            f"the release before, {commit[:7]}, is not in the history of this copy: a full clone tests upgrades"
        )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="tar")
    return folder


def revisions(tree: Path) -> list[str]:
    """Return the revisions of a tree's migrations, oldest first."""
    return sorted(path.name[:4] for path in (tree / "migrations/versions").glob("[0-9]*.py"))


def in_tree(tree: str | None) -> dict[str, str]:
    """Return what makes a Python that is started in `tree` import from there; nothing for the project's own."""
    return {} if tree is None else {"PYTHONPATH": tree}


def run(tree: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run the tree's `attemptlog` to its end; `settings` are environment variables without prefix."""
    given = {f"ATTEMPTLOG_{name.upper()}": value for name, value in settings.items()}
    return python(tree, "-m", "attemptlog.cli", *arguments, **given)


def python(tree: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in the tree."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=os.environ | in_tree(str(tree)) | environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def _git(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, timeout=60, check=False)
