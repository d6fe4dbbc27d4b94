"""Stand-ins for services that are not here, each a process that all tests of a run share."""

import atexit
import subprocess
import sys
from functools import cache


@cache
def port_of(module: str) -> int:
    """Start a server, which prints its port and ends with its standard input, unless it runs; return its port."""
    server = subprocess.Popen([sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.__exit__, None, None, None)  # closes its pipes and waits
    assert server.stdout is not None
    return int(server.stdout.readline())
