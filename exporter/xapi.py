"""xAPI statements: as JSON lines in a directory, a folder a day, or sent to a learning record store."""

import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from attemptlog.exporter.directory import Directory
from attemptlog.exporter.record_store import RecordStore
from attemptlog.exporter.statement_files import StatementLines
from attemptlog.exporter.statement_requests import StatementRequests
from attemptlog.exporter.statements import Statements

IRI = re.compile(r'[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>"{}|\\^`]+')  # RFC 3987 has none of these


def _iri(value: str) -> str:
    if not IRI.fullmatch(value):
        raise ValueError("must be an address with its scheme, such as https://exam.example.org")
    return value


def _endpoint(value: str) -> str:
    parts = urlsplit(value)
    is_plain = parts.scheme in ("http", "https") and parts.hostname and not (parts.username or parts.query)
    if not is_plain or parts.path.rstrip("/").endswith("/statements"):
        raise ValueError(
            "must be an address such as https://lrs.example.org/xAPI, without a login in it and without /statements"
        )
    return value.rstrip("/")


Iri = Annotated[str, AfterValidator(_iri)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]


class XapiSettings(BaseSettings):
    """Settings of the xAPI target; it is a record store where an endpoint is set, else a directory."""

    model_config = SettingsConfigDict(env_prefix="ATTEMPTLOG_", extra="ignore", hide_input_in_errors=True)

    export_xapi_directory: Annotated[
        Path, Field(description="Folder for the statements, or for the manifests of what a record store was sent.")
    ]
    export_xapi_home_page: Annotated[
        Iri, Field(description="`homePage` of every actor's account: the system in which user ids are unique.")
    ]
    export_xapi_base: Annotated[
        Iri | None, Field(description="What our own IRIs begin with; the home page when unset.")
    ] = None
    export_xapi_endpoint: Annotated[
        Endpoint | None, Field(description="The record store's address, up to `/statements` and without it.")
    ] = None
    export_xapi_username: Annotated[str | None, Field(description="Basic authentication at the record store.")] = None
    export_xapi_password: Annotated[SecretStr | None, Field(description="Password for that.")] = None

    @model_validator(mode="after")
    def _has_a_login(self) -> Self:
        if self.export_xapi_endpoint and (self.export_xapi_username is None or self.export_xapi_password is None):
            raise ValueError(
                "ATTEMPTLOG_EXPORT_XAPI_ENDPOINT needs ATTEMPTLOG_EXPORT_XAPI_USERNAME and "
                "ATTEMPTLOG_EXPORT_XAPI_PASSWORD"
            )
        return self

    def requests(self) -> StatementRequests | None:
        """Return the way to the record store, None where there is to be a directory."""
        if self.export_xapi_endpoint is None or self.export_xapi_username is None or self.export_xapi_password is None:
            return None
        password = self.export_xapi_password.get_secret_value()
        return StatementRequests(self.export_xapi_endpoint, self.export_xapi_username, password)


class StatementDirectory(Directory):
    """The target that is a directory."""

    wants_exams = True


def from_environment() -> StatementDirectory | RecordStore:
    """Return the target as the environment describes it; raises pydantic's ValidationError."""
    return target_of(XapiSettings())


def target_of(settings: XapiSettings) -> StatementDirectory | RecordStore:
    """Return a record store where an endpoint is set, else a directory."""
    home_page = settings.export_xapi_home_page
    statements = Statements(home_page, (settings.export_xapi_base or home_page).rstrip("/"))
    if (requests := settings.requests()) is not None:
        return RecordStore(settings.export_xapi_directory, statements, requests)
    return StatementDirectory(settings.export_xapi_directory, StatementLines(statements))
