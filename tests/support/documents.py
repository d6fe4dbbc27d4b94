"""The documents of this repository, taken apart: code blocks, tables, links, headings."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/how-to").glob("*.md")),
]

FENCE = re.compile(r"^```(?P<info>\S[^\n]*)?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block; `language` and `mark` are the words after the fence, as in `sh run`."""

    document: Path
    language: str
    mark: str
    text: str


def blocks(document: Path) -> list[Block]:
    found = []
    for match in FENCE.finditer(document.read_text()):
        language, _, mark = (match["info"] or "").partition(" ")
        found.append(Block(document, language, mark, match["text"]))
    return found


def all_blocks(language: str) -> list[Block]:
    return [block for document in DOCUMENTS for block in blocks(document) if block.language == language]


def prose(document: Path) -> str:
    """Return a document without its blocks."""
    return FENCE.sub("", document.read_text())


def code_spans() -> Iterator[str]:
    for document in DOCUMENTS:
        yield from CODE_SPAN.findall(prose(document))


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives a document's headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(prose(document))}


def table(document: Path, heading: str, number: int = 0) -> str:
    """Return one of the tables under a heading, as text."""
    section = document.read_text().partition(f"# {heading}\n")[2]
    tables = re.findall(r"(?:^\|.*\n)+", re.split(r"^#", section, maxsplit=1, flags=re.MULTILINE)[0], re.MULTILINE)
    return str(tables[number])


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table's rows, without its head."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]


def as_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a table as text."""
    first, *others = ("|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|" for row in (head, *body))
    return "\n".join([first, "|" + "---|" * len(head), *others, ""])
