"""`python -m benchmarks.agreement 1.json 2.json …`: how far runs of `python -m benchmarks --json` agree."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.figures import LEFT_OUT

AT_MOST = 0.10
FAR = 2  # times within its limit: there a row is no measure but a bound, and the limit is not in doubt
WIDTH = 150  # columns, where there is no terminal
AGREE, FAR_WITHIN, DIFFER = "agree", "far within", "DIFFER"

Row = Mapping[str, Any]  # as Figure.as_data has it

out = Console(width=None if Console().is_terminal else WIDTH)
app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Line:
    """What a row's target is about, in each run; None where a run does not have it."""

    name: str
    target: str
    values: tuple[float | None, ...]
    is_far_within: bool

    @property
    def spread(self) -> float:
        """How much the largest is over the least, as a share of it; NaN where one is missing."""
        known = [value for value in self.values if value is not None]
        return max(known) / min(known) - 1 if len(known) == len(self.values) and min(known) > 0 else math.nan

    @property
    def verdict(self) -> str:
        """AGREE, FAR_WITHIN or DIFFER."""
        if self.spread <= AT_MOST:
            return AGREE
        return FAR_WITHIN if self.is_far_within else DIFFER


def compare(runs: Sequence[Sequence[Row]]) -> list[Line]:
    """Return a line for each row of any run, in their order; without those that all of them have left out."""
    by_key = [{(row["row"], row["against"]): row for row in run} for run in runs]
    keys = dict.fromkeys(key for run in by_key for key in run)
    of_all = [[run.get(key) for run in by_key] for key in keys]
    return [_line(rows) for rows in of_all if any(row and row["verdict"] != LEFT_OUT for row in rows)]


def _line(rows: Sequence[Row | None]) -> Line:
    first = next(row for row in rows if row)
    name = f"{first['row']}, against {first['against']}" if first["against"] else first["row"]
    return Line(
        name, first["target"], tuple(row["value"] if row else None for row in rows), all(map(_is_far_within, rows))
    )


def _is_far_within(row: Row | None) -> bool:
    if row is None or row["value"] is None:
        return False
    if row["bound"] == "≥":
        return bool(row["value"] >= FAR * row["limit"])
    return bool(row["value"] * FAR <= row["limit"])


def _read(file: Path) -> list[Row]:
    try:
        rows: list[Row] = json.loads(file.read_text())["rows"]
        compare([rows])
    except (ValueError, KeyError, TypeError) as error:
        typer.echo(f"{file} is not what `python -m benchmarks --json` of this version prints", err=True)
        raise typer.Exit(2) from error
    return rows


@app.command()
def main(files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Two or more runs.")]) -> None:
    """Print each row's figures and by how much they differ; exit status 1 when that is more than 10 % anywhere.

    A row that is twice as good as its target in every run may differ by more.
    """
    if len(files) == 1:
        raise typer.BadParameter("one run agrees with itself: name two or more")
    lines = compare([*map(_read, files)])
    table = Table("row", "target", *map(str, range(1, len(files) + 1)), "differ by", "verdict")
    for line in lines:
        values = ["n/a" if value is None else f"{value:.3g}" for value in line.values]
        table.add_row(line.name, line.target, *values, f"{line.spread:.0%}", line.verdict)
    out.print(table)
    raise typer.Exit(any(line.verdict == DIFFER for line in lines))


if __name__ == "__main__":
    app()
