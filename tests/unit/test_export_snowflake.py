import re
from pathlib import Path

import pyarrow as pa
import pytest

from attemptlog.exporter.errors import DataError
from attemptlog.exporter.rows import SCHEMA
from attemptlog.exporter.snowflake_sql import CREATE, EVENTS, LOAD, column, insert

GRANTS = Path(__file__).parents[2] / "deploy" / "snowflake" / "grants.sql"


def test_the_exporters_role_may_make_what_it_makes_and_has_no_other_right() -> None:
    script = re.sub(r"--.*", "", GRANTS.read_text())
    granted = re.findall(r"GRANT (.+?) ON (\w+) \S+ TO ROLE attemptlog_exporter;", script)
    rights = {(right, kind) for rights, kind in granted for right in rights.split(", ")}
    made = {re.sub(r"TRANSIENT ", "", statement).split()[1] for statement in CREATE}
    use = {("USAGE", kind) for kind in ("WAREHOUSE", "DATABASE", "SCHEMA")}
    assert rights == use | {(f"CREATE {kind}", "SCHEMA") for kind in made}


def test_times_are_kept_with_their_zone_and_json_as_such() -> None:
    kept = [column(field, EVENTS) for field in SCHEMA]
    assert "event_ts TIMESTAMP_TZ(6) NOT NULL" in kept
    assert "payload VARIANT NOT NULL" in kept
    assert "row_hash NUMBER(19, 0) NOT NULL" in kept
    assert "payload VARCHAR" in [column(field, LOAD) for field in SCHEMA]
    assert "PARSE_JSON(payload)" in insert(SCHEMA.names)


def test_a_column_of_a_type_that_no_event_has_is_refused() -> None:
    with pytest.raises(DataError, match="weight is of the type double"):
        column(pa.field("weight", pa.float64()), EVENTS)
