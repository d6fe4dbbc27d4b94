"""`python -m attemptlog.consumer`: the same as `attemptlog consume`."""

import os
import signal
import sys

# While modules are imported, Ctrl-C ends the process at once, with the status that shells give and no traceback.
signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))


def main() -> None:
    """Consume until told to stop; a setting that is missing or wrong is told and ends the process."""
    from pydantic import ValidationError  # noqa: PLC0415

    from attemptlog.consumer.app import run  # noqa: PLC0415

    try:
        sys.exit(run())
    except ValidationError as error:  # what is missing or wrong in the environment
        sys.exit(str(error))


if __name__ == "__main__":
    main()
