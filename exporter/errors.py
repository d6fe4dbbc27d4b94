"""What can go wrong, named by what the exporter does about it."""

SET_UP, TRANSIENT, DATA = ERROR_CLASSES = ("set_up", "transient", "data")
"""What is done about an error, one of the classes below."""


class ExportError(Exception):
    """Base class; the message is one sentence for an operator and quotes no row."""


class SetUpError(ExportError):
    """It stays so until somebody changes something (a login, a grant, a folder): tell, and try again slowly."""


class TransientError(ExportError):
    """The target or PostgreSQL is away, or refuses for now: try the same batch again, after a growing pause."""


class DataError(ExportError):
    """What the target holds, or is to hold, is wrong: stop, skip nothing. `row` is the event's id, where it is one."""

    def __init__(self, message: str, row: str | None = None) -> None:
        super().__init__(message if row is None else f"event {row}: {message}")
        self.row = row


class NotAvailable(ExportError):
    """The target has no way to tell what was asked: say so; it is no proof of anything, and no fault either."""


class Fenced(ExportError):
    """Another exporter has taken the target over: send nothing more, and end."""


class Stopped(ExportError):
    """The process is to end: nothing of the batch in hand is committed, and it is sent by whoever comes next."""
