"""Which extra a subcommand needs."""

BESIDE_CLI = {
    "ingest": "gateway",
    "consume": "consumer",
    "export": "export",
    "console": "console",
    "up": "local",
    "demo": "local",
    "down": "local",
}


def extra_of(command: str) -> str:
    """Return the extra whose modules the subcommand imports."""
    return BESIDE_CLI.get(command, "cli")
