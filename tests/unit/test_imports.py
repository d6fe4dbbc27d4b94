import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = "attemptlog"
BASE = {"schemas", "runtime"}
MAY_IMPORT: dict[str, set[str]] = {
    "schemas": set(),
    "runtime": {"schemas"},
    "publisher": BASE,
    "event_store": BASE,
    "ingest_api": BASE | {"publisher"},
    "consumer": BASE | {"event_store"},
    "exporter": BASE | {"event_store"},
    "console": BASE | {"event_store"},
    "migrations": BASE,
    "local_stack": {"runtime"},
    "simulation": BASE | {"event_store"},
    "local_pipeline": BASE | {"event_store", "local_stack", "migrations", "simulation"},
    "examples": BASE | {"publisher"},
}
MAY_IMPORT["chaos"] = MAY_IMPORT["benchmarks"] = MAY_IMPORT.keys() - {"examples"}
MAY_IMPORT["cli"] = MAY_IMPORT.keys() - {"examples", "chaos", "benchmarks"}


def imported_packages(package: str) -> Iterator[str]:
    for file in (ROOT / package).rglob("*.py"):
        yield from packages_imported_by(file)


def packages_imported_by(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (package_of(name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == HOUSE:
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield package_of(node.module)


def package_of(module: str) -> str:
    return module.removeprefix(f"{HOUSE}.").partition(".")[0]


def test_every_package_has_its_place() -> None:
    packages = {file.parent.name for file in ROOT.glob("*/__init__.py")} - {HOUSE, "tests"}
    assert packages | {"examples"} == MAY_IMPORT.keys()


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_no_sibling_that_it_may_not(package: str) -> None:
    imported = set(imported_packages(package))
    assert imported, "nothing was looked at"
    assert {name for name in imported if name in MAY_IMPORT} <= MAY_IMPORT[package] | {package}
