import subprocess
import sys
from pathlib import Path

EXPORTER = Path(__file__).parents[2] / "exporter"
OF_ONE_TARGET = ("duckdb", "s3", "snowflake")
HEAVY = {"duckdb", "boto3", "botocore", "snowflake"}


def test_what_one_target_needs_is_not_imported_for_the_others() -> None:
    """Or everybody would have to install it, and wait a second or two for it."""
    modules = [file.stem for file in EXPORTER.glob("*.py") if not file.stem.startswith(OF_ONE_TARGET)]
    imports = "\n".join(f"import attemptlog.exporter.{name}" for name in sorted(modules) if name != "__init__")
    code = f"import sys\n{imports}\nprint(*({HEAVY!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert len(modules) > 4
    assert found.split() == []
