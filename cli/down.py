"""`attemptlog down`: stops what `up` started, also what a killed one left."""

from attemptlog.cli.console import out, working_on
from attemptlog.local_pipeline.folder import owner_of
from attemptlog.local_pipeline.stopping import stop_left, stop_owner
from attemptlog.runtime.settings import ENVIRONMENT_FILE, STACK_DIRECTORY


def down() -> None:
    """Stop the pipeline of this folder: the `up` that runs here, or what is left of one that was killed."""
    directory = STACK_DIRECTORY.absolute()
    if (owner := owner_of(directory)) is not None:
        with working_on("Stopping"):
            stop_owner(owner, directory)
        out.print(f"Stopped `attemptlog up` (process {owner}).")
        return
    stopped = stop_left(directory)
    ENVIRONMENT_FILE.unlink(missing_ok=True)
    out.print(f"Stopped {', '.join(stopped)}." if stopped else "Nothing is running here.")
