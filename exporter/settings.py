"""What the exporter reads from its environment; each target reads its own."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from attemptlog.runtime.postgres import DatabaseUrl
from attemptlog.runtime.pseudonyms import PseudonymKey
from attemptlog.runtime.settings import ENVIRONMENT_FILE
from attemptlog.schemas.fields import Seconds

BATCH_ROWS = 1_000_000  # 20 to 40 MB of Parquet, and seconds of work; the transaction that fills it goes with it whole


class ExporterSettings(BaseSettings):
    """Settings of the exporter, `ATTEMPTLOG_` in front; durations are seconds or ISO 8601."""

    model_config = SettingsConfigDict(
        env_prefix="ATTEMPTLOG_", extra="ignore", hide_input_in_errors=True, env_file=ENVIRONMENT_FILE
    )

    database_url: Annotated[
        DatabaseUrl, Field(description="PostgreSQL, as a role in attemptlog_exporter, and not through a pooler.")
    ]
    pseudonym_key: PseudonymKey = None
    export_interval: Annotated[
        Seconds,
        Field(
            description="Pause between two looks for new events, give or take a tenth; each look that finds some makes "
            "files of its own.",
            ge=timedelta(seconds=1),
        ),
    ] = timedelta(minutes=5)
    export_batch_rows: Annotated[
        int,
        Field(description="Rows of a batch, more or less: a transaction is never parted.", ge=1, le=10_000_000),
    ] = BATCH_ROWS
    exporter_host: Annotated[str, Field(description="Address to serve health and metrics on.")] = "0.0.0.0"  # noqa: S104 - a container's probes and scrapes come from outside of it
    exporter_port: Annotated[int, Field(description="Port to serve health and metrics on.", ge=0, le=65535)] = 8002
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="Least level that is logged.")
    ] = "INFO"
