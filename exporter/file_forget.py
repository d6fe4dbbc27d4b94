"""Rows of files that are to go: each file that has some is written anew, under the name that it has."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

import pyarrow.compute as pc

from attemptlog.exporter.formats import Mask
from attemptlog.exporter.manifest import ListedFile, Manifest
from attemptlog.exporter.pairs import PAIR, Choose, Pairs, are_of, count, pairs_of
from attemptlog.exporter.rows import Chunk, DayTotal, total_of


class Files(Protocol):
    """The files of a target, and its ledger."""

    def manifests(self) -> Iterator[Manifest]:
        """Yield the entries of the ledger."""

    def replace(self, manifest: Manifest) -> None:
        """Put an entry in the place of the one that the batch has."""

    def read(self, file: ListedFile, columns: list[str]) -> Iterator[Chunk]:
        """Yield some columns of rows.HELD of every row."""

    def rewrite(self, file: ListedFile, keeps: Callable[[Chunk], Mask]) -> DayTotal:
        """Leave only the rows that are kept, in one step, and return what these are; see Format.copy."""

    def size(self, file: ListedFile) -> int:
        """Return how many bytes it has."""


def forget(files: Files, choose: Choose) -> None:
    """Have files and manifests without the rows of whom `choose` picks.

    Whoever reads meanwhile finds every other row once, or fails. A file that has no row left stays, empty, because
    somebody may be about to open it; the manifests let go of it the next time.
    """
    for manifest in files.manifests():
        left = tuple(_without(files, file, choose) for file in manifest.files if file.rows)
        if left != manifest.files:
            files.replace(replace(manifest, files=left))


def _without(files: Files, file: ListedFile, choose: Choose) -> ListedFile:
    """Return a file as its manifest is to have it: also where it was written anew and the manifest not any more."""
    pairs = pairs_of(files.read(file, PAIR.names))
    chosen = choose(pairs)
    if chosen.num_rows:
        total = files.rewrite(file, _others_than(chosen))
    elif count(pairs) != file.rows:
        total = sum(map(total_of, files.read(file, ["row_hash"])), DayTotal())
    else:
        return file
    return replace(file, rows=total.rows, sum=total.sum, size=files.size(file))


def _others_than(chosen: Pairs) -> Callable[[Chunk], Mask]:
    return lambda chunk: pc.invert(are_of(chunk, chosen))
