"""What the console reads from its environment."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from attemptlog.runtime.keys import TokenSettings
from attemptlog.runtime.postgres import DatabaseUrl
from attemptlog.runtime.pseudonyms import PseudonymKey


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a web address, such as https://exams.example/")
    return url


class ConsoleSettings(TokenSettings):
    """Settings of the console, `ATTEMPTLOG_` in front; who may see what is in the tokens."""

    database_url: Annotated[
        DatabaseUrl, Field(description="PostgreSQL, as a role in attemptlog_reader (reads what its views show).")
    ]
    console_role_claim: Annotated[
        str, Field(description="Claim with the role: candidate, examiner, operator, auditor.", min_length=1)
    ] = "attemptlog_role"
    console_exams_claim: Annotated[
        str, Field(description="Claim with the ids of an examiner's exams, a list.", min_length=1)
    ] = "attemptlog_exams"
    console_platform_url: Annotated[
        Annotated[str, AfterValidator(_web_address)] | None,
        Field(description="Where an exam is sat, for the link there."),
    ] = None
    console_database_connections: Annotated[
        int, Field(description="Connections at a time; whoever waits longer than 5 s for one is told 503.", ge=1)
    ] = 4
    pseudonym_key: PseudonymKey = None
    console_host: Annotated[str, Field(description="Address to listen on.")] = "127.0.0.1"
    console_port: Annotated[int, Field(description="Port to listen on.", ge=0, le=65535)] = 8003
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="Least level that is logged.")
    ] = "INFO"
