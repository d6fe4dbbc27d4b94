"""What httptools (llhttp) does and does not promise; tests/unit/test_private_parts_of_gateway.py holds it to that."""

import httptools


def behind_upgrade(upgrade: httptools.HttpParserUpgrade, data: bytes | memoryview) -> memoryview:
    """Return what is behind the head that asks for an upgrade: the parser has read no further."""
    return memoryview(data)[upgrade.args[0] :]


def raised_in_callback(error: httptools.HttpParserError) -> BaseException | None:
    """Return what a callback has raised, for the parser says only that one has."""
    return error.__context__
