"""The `attemptlog` command, and `python -m attemptlog.cli`."""

import signal
import sys

from attemptlog.cli.interrupts import leave_at_once

# Before anything else is imported, for that takes seconds; also in the processes that uvicorn starts from here.
signal.signal(signal.SIGINT, leave_at_once)


def main() -> None:
    """Run the command that the command line names."""
    from attemptlog.cli.extras import extra_of  # noqa: PLC0415
    from attemptlog.runtime.extras import MissingExtra, require  # noqa: PLC0415

    try:
        require(extra_of("".join(sys.argv[1:2])), "attemptlog", "rich", "typer")
    except MissingExtra as error:
        sys.exit(str(error))
    from attemptlog.cli.app import main as run  # noqa: PLC0415

    try:
        run()
    finally:
        signal.signal(signal.SIGINT, leave_at_once)


if __name__ == "__main__":
    main()
