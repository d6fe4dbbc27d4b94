"""The files that a directory's manifests list, and how one is written anew."""

from collections.abc import Callable, Iterator
from pathlib import Path

from attemptlog.exporter.formats import Format, Mask, read, reading
from attemptlog.exporter.ledger import Ledger, sync
from attemptlog.exporter.manifest import ListedFile, Manifest
from attemptlog.exporter.rows import Chunk, DayTotal

STAGE = "forgetting"


class DirectoryFiles:
    """See file_forget.Files."""

    def __init__(self, root: Path, form: Format, ledger: Ledger) -> None:
        self._root = root
        self._form = form
        self._ledger = ledger

    def manifests(self) -> Iterator[Manifest]:
        """See Files.manifests."""
        return self._ledger.manifests()

    def replace(self, manifest: Manifest) -> None:
        """See Files.replace."""
        self._ledger.replace(manifest)

    def read(self, file: ListedFile, columns: list[str]) -> Iterator[Chunk]:
        """See Files.read."""
        return read(self._form, self._root / file.path, columns)

    def rewrite(self, file: ListedFile, keeps: Callable[[Chunk], Mask]) -> DayTotal:
        """See Files.rewrite."""
        path = self._root / file.path
        written = self._ledger.new_stage(STAGE) / path.name
        with reading(self._form, path):
            total = self._form.copy(path, written, keeps)
        sync(written)
        written.rename(path)
        sync(path.parent)
        self._ledger.clear_stage()
        return total

    def size(self, file: ListedFile) -> int:
        """See Files.size."""
        return (self._root / file.path).stat().st_size

    def remove_unlisted(self) -> None:
        """Remove the files that no manifest lists."""
        listed = {file.path for file in self._ledger.files()}
        for path in self._root.glob(f"day=*/*{self._form.suffix}"):
            if str(path.relative_to(self._root)) not in listed:
                path.unlink()
