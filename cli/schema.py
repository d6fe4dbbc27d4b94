"""`attemptlog schema`: the contract for other languages."""

from enum import StrEnum
from typing import Annotated

import typer

from attemptlog.cli.console import print_json
from attemptlog.schemas.documents import asyncapi, envelope_schema, ingest_request_schema
from attemptlog.schemas.typescript import typescript


class Document(StrEnum):
    """What can be printed."""

    ENVELOPE = "envelope"
    INGEST_REQUEST = "ingest-request"
    ASYNCAPI = "asyncapi"
    TYPESCRIPT = "typescript"


BUILDERS = {
    Document.ENVELOPE: envelope_schema,
    Document.INGEST_REQUEST: ingest_request_schema,
    Document.ASYNCAPI: asyncapi,
}


def schema(
    document: Annotated[Document, typer.Argument(help="Which document to print.")] = Document.ENVELOPE,
) -> None:
    """Print the JSON Schema of envelope or request, the AsyncAPI document of the topic, or the types for TypeScript."""
    if document is Document.TYPESCRIPT:
        print(typescript(), end="")
    else:
        print_json(BUILDERS[document]())
