"""Each part of the package has what it imports by its extra, and says which one when it has not."""

import importlib.util
import re
import signal
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from attemptlog.cli.app import EXAMPLES, app, module_of
from attemptlog.cli.extras import extra_of
from attemptlog.runtime import extras
from attemptlog.runtime.extras import EXTRAS, MissingExtra, require
from tests.support.documents import ROOT
from tests.unit.test_imports import MAY_IMPORT, imported_packages, packages_imported_by

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRA_OF = {
    "schemas": None,
    "publisher": None,
    "event_store": "cli",
    "ingest_api": "gateway",
    "consumer": "consumer",
    "exporter": "export",
    "console": "console",
    "migrations": "cli",
    "local_stack": "local",
    "simulation": "cli",
    "local_pipeline": "local",
}
TARGETS = {"duckdb": "export-duckdb", "s3": "export-s3", "snowflake": "export-snowflake"}
# What these bring is imported by their names, too.
BROUGHT = {"boto3": {"botocore"}, "fastapi": {"starlette"}, "pydantic": {"pydantic_core"}}
SERVERS = {"fastapi", "starlette", "uvicorn", "uvloop", "httptools", "rich", "typer"}

runner = CliRunner()


def modules_of(requirements: list[str]) -> set[str]:
    """Return the modules that distributions bring; an extra of ours brings its own."""
    brought: dict[str, set[str]] = defaultdict(set)
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            brought[_plain(distribution)].add(module)
    names = [re.split(r"[\[>=<; ]", requirement, maxsplit=1)[0] for requirement in requirements]
    pools = {"psycopg_pool" for requirement in requirements if re.match(r"psycopg\[.*pool", requirement)}
    missing = [name for name in names if name != "attemptlog" and not brought[_plain(name)]]
    assert not missing, "is it installed?"
    return {module for name in names for module in brought[_plain(name)]} | pools


def _plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def ours(requirements: list[str]) -> list[str]:
    [names] = re.findall(r"attemptlog\[([^\]]*)\]", " ".join(requirements)) or [""]
    return [name for name in names.split(",") if name]


BASE = modules_of(PROJECT["dependencies"])


def available(extra: str | None) -> set[str]:
    """Return what may be imported where an extra is installed."""
    if extra is None:
        found = set(BASE)
    else:
        listed = PROJECT["optional-dependencies"][extra]
        found = BASE.union(EXTRAS[extra], *(available(other) for other in ours(listed)))
    return found.union(*(BROUGHT.get(module, set()) for module in found))


def foreign(imported: set[str]) -> set[str]:
    return imported - sys.stdlib_module_names - MAY_IMPORT.keys() - {"attemptlog"}


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_what_an_extra_installs_is_what_is_asked_for(extra: str) -> None:
    listed = modules_of(PROJECT["optional-dependencies"][extra])
    assert set(EXTRAS[extra]) == {module for module in listed if not module.startswith("_")} - {"attemptlog"}


def test_every_extra_is_one_of_the_projects() -> None:
    assert EXTRAS.keys() == PROJECT["optional-dependencies"].keys()


@pytest.mark.parametrize(("package", "extra"), EXTRA_OF.items())
def test_a_package_imports_what_it_has_by_its_extra(package: str, extra: str | None) -> None:
    of_targets = {"exporter": set().union(*(available(extra) for extra in TARGETS.values()))}
    assert foreign(set(imported_packages(package))) <= available(extra) | of_targets.get(package, set())


def test_the_example_that_make_run_serves_has_what_it_imports_by_the_extra_local() -> None:
    example = set(imported_packages("examples/exam_platform"))
    assert foreign(example) <= available("local")


@pytest.mark.parametrize("file", sorted((ROOT / "exporter").glob("*.py")), ids=lambda file: file.stem)
def test_a_target_imports_what_it_has_by_its_extra(file: Path) -> None:
    extra = TARGETS.get(file.stem.partition("_")[0], "export")
    assert foreign(set(packages_imported_by(file))) <= available(extra)


def test_runtime_imports_what_its_users_have_by_their_extras() -> None:
    """Its connections to PostgreSQL and its tokens are for those who have the driver and PyJWT."""
    of_tracing = {ROOT / "runtime" / name for name in ("spans.py", "trace_context.py")}
    others = set((ROOT / "runtime").glob("*.py")) - of_tracing
    imported = {name for file in others for name in packages_imported_by(file)}
    assert foreign(imported) <= available("gateway") - SERVERS
    assert foreign({name for file in of_tracing for name in packages_imported_by(file)}) <= available("tracing")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_command_imports_what_it_has_by_its_extra(name: str) -> None:
    file = ROOT / f"cli/{module_of(name)}.py"
    assert foreign(set(packages_imported_by(file))) <= available(extra_of(name))


def test_every_package_of_ours_has_its_extra() -> None:
    assert EXTRA_OF.keys() | {"runtime", "cli"} == {
        entry.name for entry in (ROOT / "attemptlog").iterdir() if entry.is_symlink()
    }


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """As if the modules that the test names were not installed."""
    hidden = request.param
    there = importlib.util.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in hidden else there(name))


@pytest.mark.parametrize("without", [{"fastapi", "uvloop"}], indirect=True)
def test_what_is_missing_is_an_import_error_in_a_sentence_that_names_the_extra(without: None) -> None:
    with pytest.raises(
        ImportError, match=r"^ours needs fastapi, uvloop: run pip install 'attemptlog\[gateway\]'\.$"
    ) as raised:
        require("gateway", "ours")
    assert raised.type is MissingExtra
    require("gateway", "ours", "httpx")


@pytest.mark.parametrize("without", [{"jgo"}, {"faststream", "jgo"}], indirect=True)
@pytest.mark.parametrize("arguments", [["up"], ["up", "--help"], ["up", "--candidates", "3"], ["demo"]])
def test_a_command_whose_extra_is_missing_ends_in_that_sentence(without: None, arguments: list[str]) -> None:
    result = runner.invoke(app, arguments)

    assert result.exit_code == 1
    assert result.output == f"`attemptlog {arguments[0]}` needs jgo: run pip install 'attemptlog[local]'.\n"


@pytest.mark.parametrize("without", [{"jgo", "alembic", "faststream"}], indirect=True)
def test_the_help_lists_commands_whose_extra_is_missing(without: None) -> None:
    result = runner.invoke(app, ["--help"])

    assert result.exit_code == 0
    assert all(f" {name} " in result.output for name in EXAMPLES)
    for name, extra in {"up": "local", "audit": "cli", "consume": "consumer"}.items():
        assert re.search(rf" {name} +Needs the extra {extra}, which is not installed\.", result.output)
    assert re.search(r" ingest +Serve the gateway", result.output)


@pytest.mark.parametrize("without", [{"typer", "rich"}], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "extra"),
    [([], "cli"), (["--help"], "cli"), (["audit"], "cli"), (["ingest"], "gateway"), (["up"], "local")],
)
def test_the_command_alone_says_which_extra_it_needs(
    without: None, arguments: list[str], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # Ctrl-C stays pytest's, also for commands in its threads
    from attemptlog.cli import __main__ as command  # noqa: PLC0415

    monkeypatch.setattr(sys, "argv", ["attemptlog", *arguments])

    with pytest.raises(SystemExit, match=rf"^attemptlog needs rich, typer: run pip install 'attemptlog\[{extra}\]'\.$"):
        command.main()
