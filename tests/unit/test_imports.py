import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EVERYTHING = {"schemas", "publisher", "ingest_api", "consumer", "migrations", "local_stack", "cli", "examples"}
MAY_IMPORT = {
    "schemas": set[str](),
    "publisher": {"schemas"},
    "ingest_api": {"publisher", "schemas"},
    "consumer": {"schemas"},
    "migrations": {"schemas"},
    "local_stack": set[str](),
    "cli": EVERYTHING - {"examples"},
    "examples": {"publisher", "schemas"},
}


def imported_packages(package: str) -> Iterator[str]:
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_no_sibling_that_it_may_not(package: str) -> None:
    assert {name for name in imported_packages(package) if name in EVERYTHING} <= MAY_IMPORT[package] | {package}
