"""The targets by name. Each is a module of that name, imported when it is asked for, because some bring much along."""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.extras import EXTRAS, require

if TYPE_CHECKING:
    from attemptlog.exporter.target import Target

TARGETS = ("parquet", "duckdb", "s3", "snowflake", "xapi")
DEFAULT = "parquet"


def require_known(name: str) -> None:
    """Raise OperatorError for a name that is no target's."""
    if name not in TARGETS:
        raise OperatorError(f"There is no target {name}: it is one of {', '.join(TARGETS)}.")


def target_from_environment(name: str) -> "Target":
    """Return a target as the environment describes it; raise OperatorError for a name that is none."""
    require_known(name)
    if (extra := f"export-{name}") in EXTRAS:
        require(extra, f"The target {name}")
    return cast("Target", import_module(f"attemptlog.exporter.{name}").from_environment())
