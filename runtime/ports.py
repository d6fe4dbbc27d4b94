"""A port to listen on, which another may have."""

import socket

from attemptlog.runtime.errors import OperatorError


def check_free(host: str, port: int, advice: str) -> None:
    """Raise OperatorError, with what to do, for a port that another has."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise OperatorError(f"Port {port} cannot be listened on ({error.strerror}): {advice}") from error
