"""`python -m attemptlog.local_stack DIRECTORY`: start both servers, print their addresses, stop them when told to."""

import signal
import sys
from pathlib import Path

from attemptlog.local_stack import LocalStack, LocalStackError


def main(directory: str) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with LocalStack(Path(directory)) as stack:
            print(f"{stack.kafka.bootstrap_servers} {stack.postgres.url}", flush=True)  # noqa: T201
            signal.pause()
    except LocalStackError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(*sys.argv[1:])
