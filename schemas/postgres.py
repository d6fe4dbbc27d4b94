"""The address of PostgreSQL, as gateway and consumer take it from their settings."""

from typing import Annotated

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, SecretStr


def _readable(url: SecretStr) -> SecretStr:
    try:
        conninfo_to_dict(url.get_secret_value())
    except ProgrammingError:  # libpq quotes the URL, password included
        raise ValueError("is not a PostgreSQL URL (postgresql://user:password@host/database)") from None
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_readable)]
