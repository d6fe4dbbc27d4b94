"""The package as a user has it: built, and installed into environments of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.documents import ROOT
from tests.support.http import end

UV = Path(sys.executable).with_name("uv")
OURS = sorted(entry.name for entry in (ROOT / "attemptlog").iterdir() if entry.is_symlink())


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel in it, and a folder where modules of other people have our names."""

    path: Path
    folder: Path
    megabytes: float  # as it was installed

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment in the folder."""
        return subprocess.run(
            self._command(command),
            cwd=self.folder,
            env=self._variables({}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def running(self, *command: str, **settings: str) -> Iterator[None]:
        """Run a service of the environment in the folder; `settings` are environment variables without prefix."""
        process = subprocess.Popen(self._command(command), cwd=self.folder, env=self._variables(settings))
        try:
            yield
        finally:
            end(process)

    @property
    def packages(self) -> set[str]:
        """The names of what is installed."""
        listed = uv("pip", "list", "--format=freeze", f"--python={self.path}")
        return {line.partition("==")[0].partition(" @ ")[0] for line in listed.splitlines()}

    def _command(self, command: tuple[str, ...]) -> list[str]:
        return [str(self.path / "bin" / command[0]), *command[1:]]

    def _variables(self, settings: dict[str, str]) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith(("ATTEMPTLOG_", "PYTHON"))}
        given = {f"ATTEMPTLOG_{name.upper()}": value for name, value in settings.items()}
        return others | given | {"PYTHONPATH": str(self.folder)}


def uv(*arguments: str) -> str:
    """Run uv in the repository and return what it prints; subprocess.CalledProcessError when it fails."""
    return subprocess.run([UV, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def installed(wheel: Path, extra: str, folder: Path) -> Environment:
    """Install a wheel, with an extra or with none (""), in the versions of the lock, into a new folder."""
    path, work = folder / "venv", folder / "work"
    work.mkdir(parents=True)
    for name in OURS:
        (work / f"{name}.py").write_text(f"raise RuntimeError('this is the {name}.py of somebody else')\n")
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    uv("venv", "--quiet", f"--python={sys.executable}", str(path))
    uv("pip", "install", "--quiet", f"--python={path}", "--constraint=requirements.lock", wanted)
    return Environment(path, work, _megabytes(path))


def _megabytes(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir()) / 1_000_000
