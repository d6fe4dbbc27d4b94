"""`python -m consumer`: the same as `attemptlog consume`."""

import sys

from pydantic import ValidationError

from consumer.app import run

if __name__ == "__main__":
    try:
        sys.exit(run())
    except ValidationError as error:  # what is missing or wrong in the environment
        sys.exit(str(error))
