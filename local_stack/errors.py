import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LocalStackError(Exception):
    """The stack cannot do what was asked; the message is one sentence that says why and what to do about it."""


def disk_full(directory: Path) -> LocalStackError:
    return LocalStackError(f"The disk that holds {directory} is full: free some space and start again.")


@contextmanager
def writing_to(directory: Path, remedy: str = "choose a directory that you can write to") -> Iterator[None]:
    """Turn an OSError of the block into a LocalStackError about `directory` that ends with the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full(directory) from error
        raise LocalStackError(f"{directory} cannot be used ({error.strerror}): {remedy}.") from error
