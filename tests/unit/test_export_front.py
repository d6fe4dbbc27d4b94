import socket

import pytest
from prometheus_client import CollectorRegistry

from attemptlog.exporter.front import serving
from attemptlog.runtime.errors import OperatorError


def test_a_port_that_is_taken_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(OperatorError, match=f"Port {port} cannot be listened on .*ATTEMPTLOG_EXPORTER_PORT"),
            serving("127.0.0.1", port, CollectorRegistry(), lambda: True),
        ):
            pass


def test_what_goes_wrong_meanwhile_is_not_laid_on_the_port() -> None:
    with (
        pytest.raises(FileNotFoundError, match="events"),
        serving("127.0.0.1", 0, CollectorRegistry(), lambda: True),
    ):
        raise FileNotFoundError(2, "No such file or directory: events")
