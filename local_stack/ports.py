import errno
import random
import socket

from attemptlog.local_stack.errors import LocalStackError

HOST = "127.0.0.1"

# Below the ports that systems give to outgoing connections (Linux from 32768, macOS from 49152): a client that dials a
# stopped server again and again on such a port ends up connected to itself, and the server cannot come back.
CANDIDATES = range(15_000, 30_000)


# Not the generator that tests may have seeded: every process has to try other ports.
_random = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on and that this process has not been given before."""
    for port in _random.sample(CANDIDATES, k=200):
        if port not in _given and _bind_error(port) is None:
            _given.add(port)
            return port
    raise LocalStackError(f"No free port found on {HOST}: stop programs that hold ports from 15000 to 30000.")


def check_free(port: int, name: str) -> None:
    """Raise LocalStackError when `name` could not listen on `port` of 127.0.0.1."""
    error = _bind_error(port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        raise LocalStackError(f"Port {port} for {name} is taken: stop the program that uses it or choose another port.")
    raise LocalStackError(f"{name} cannot listen on port {port} ({error.strerror}): choose another port.")


def _bind_error(port: int) -> OSError | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None
