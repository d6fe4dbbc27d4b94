"""Draws what was measured: `python -m benchmarks.growth.plot LINES > PICTURE`. Pure."""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from itertools import chain
from pathlib import Path

from benchmarks.growth.series import (
    DOCUMENTED,
    GROUPS,
    TARGET,
    Measured,
    index_bytes,
    measured_in,
    pages_read,
    rate_by_clock,
    rate_by_cpu,
    table_bytes,
)

WIDTH, HEIGHT = 430, 290  # of a panel, in pixels
LEFT, RIGHT, TOP, BOTTOM = 48, 116, 46, 44  # around its axes; the names of the lines are on the right
MARGIN = 10  # of the lines, within the axes
LINE_OF_TEXT = 16
STEPS = (1, 2, 2.5, 5, 10)  # between two marks of an axis, times a power of ten
MARKS = 5  # at most
MILLION = 1e6

STYLE = """
    text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
    .title { font-size: 14px; font-weight: 600; }
    .mark { font-size: 11px; fill: #59636e; }
    .grid { stroke: #d1d9e0; }
    .limit { stroke: #cf222e; stroke-dasharray: 5 4; }
    .line { fill: none; stroke: currentColor; stroke-width: 2; }
    .name, circle { fill: currentColor; }
    .s0 { color: #0969da; } .s1 { color: #bc4c00; } .s2 { color: #1a7f37; } .s3 { color: #8250df; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .name { fill: currentColor; }
      .mark { fill: #9198a1; }
      .grid { stroke: #3d444d; }
      .limit { stroke: #f85149; }
      .s0 { color: #4493f8; } .s1 { color: #f0883e; } .s2 { color: #3fb950; } .s3 { color: #ab7df8; }
    }
"""

QUERIES = {"timeline": "timeline", "session": "rows"}
SHARES = ("median", "p95")

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes; `lines` are values by name, one for each size; `limit` is a target."""

    title: str
    lines: Mapping[str, Sequence[float]]
    limit: float | None = None


def panels(points: Sequence[Measured]) -> list[Panel]:
    """Return what is drawn of sizes that were measured in the same layout."""
    readings = {f"{name}, {share}": (query, f"{share}_ms") for query, name in QUERIES.items() for share in SHARES}
    return [
        Panel(
            "Rate of storing (an empty table: 1)",
            {"by CPU": [rate_by_cpu(it) for it in points], "by the clock": [rate_by_clock(it) for it in points]},
            limit=TARGET,
        ),
        Panel("Reading a session, ms", {name: [it[a][b] for it in points] for name, (a, b) in readings.items()}),
        Panel(
            "Disk, bytes a row",
            {"table": [table_bytes(it) for it in points], "indexes": [index_bytes(it) for it in points]},
        ),
        Panel(
            "Pages read for 1,000 rows stored",
            {name: [pages_read(it)[name] for it in points] for name in GROUPS},
        ),
    ]


def draw(points: Sequence[Measured]) -> str:
    """Return the panels as SVG, two beside each other; sizes are spaced by their logarithm."""
    rows = [each["rows"] for each in points]
    drawn = [
        f'<g transform="translate({WIDTH * (n % 2)} {HEIGHT * (n // 2)})">\n{_panel(panel, rows)}</g>'
        for n, panel in enumerate(panels(points))
    ]
    size = f"{2 * WIDTH} {HEIGHT * math.ceil(len(drawn) / 2)}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img" aria-labelledby="title">'
    told = ", ".join(f"{each / MILLION:.3g}" for each in rows)
    title = f'<title id="title">Storing, reading and disk with {told} million rows in the table</title>'
    return "\n".join([head, title, f"<style>{STYLE}</style>", *drawn, "</svg>", ""])


def _panel(panel: Panel, rows: Sequence[float]) -> str:
    marks = marks_up_to(max([*chain(*panel.lines.values()), panel.limit or 0]))
    across, up = _scale_of(rows), partial(_up, marks[-1])
    lines = {name: [(across(x), up(y)) for x, y in zip(rows, line, strict=True)] for name, line in panel.lines.items()}
    limit = [f'<path class="limit" d="M{LEFT} {up(panel.limit)}H{WIDTH - RIGHT}"/>'] if panel.limit is not None else []
    return "\n".join(
        [
            _text(LEFT - 36, 24, panel.title, "title"),
            *(_grid(up(mark), f"{mark:g}") for mark in marks),
            *(_text(across(it), HEIGHT - BOTTOM + 18, f"{it / MILLION:.3g}", "mark", "middle") for it in rows),
            _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 35, "million rows in the table", "mark", "middle"),
            *limit,
            *_lines(lines),
            "",
        ]
    )


def _scale_of(rows: Sequence[float]) -> Callable[[float], float]:
    first, last = math.log(min(rows)), math.log(max(rows))
    begin, width = LEFT + MARGIN, WIDTH - LEFT - RIGHT - 2 * MARGIN
    return lambda value: round(begin + width * ((math.log(value) - first) / (last - first) if last > first else 0.5), 1)


def _up(most: float, value: float) -> float:
    return round(HEIGHT - BOTTOM - value / most * (HEIGHT - BOTTOM - TOP), 1)


def _grid(height: float, mark: str) -> str:
    line = f'<path class="grid" d="M{LEFT} {height}H{WIDTH - RIGHT}"/>'
    return line + _text(LEFT - 6, height + 4, mark, "mark", "end")


def _lines(lines: Mapping[str, Sequence[Place]]) -> Iterator[str]:
    heights = apart([line[-1][1] for line in lines.values()])
    for number, (name, line) in enumerate(lines.items()):
        yield f'<path class="s{number} line" d="M{" ".join(f"{x} {y}" for x, y in line)}"/>'
        yield from (f'<circle class="s{number}" cx="{x}" cy="{y}" r="3"/>' for x, y in line)
        yield _text(WIDTH - RIGHT + 2, heights[number] + 4, name, f"s{number} name")


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def marks_up_to(value: float) -> list[float]:
    """Return the marks of an axis from 0 on, of which the last is not below the value."""
    power = 10.0 ** math.floor(math.log10(value / MARKS)) if value > 0 else 1.0
    step = next(each * power for each in STEPS if each * power * MARKS >= value)
    return [round(step * number, 9) for number in range(max(1, math.ceil(value / step)) + 1)]


def apart(heights: Sequence[float]) -> list[float]:
    """Return the heights of texts, moved down as far as it takes for none to cover another."""
    moved, below = dict[int, float](), -math.inf
    for number in sorted(range(len(heights)), key=heights.__getitem__):
        moved[number] = below = max(heights[number], below + LINE_OF_TEXT)
    return [moved[number] for number in range(len(heights))]


if __name__ == "__main__":
    print(draw(measured_in(Path(sys.argv[1]).read_text(), DOCUMENTED)), end="")
