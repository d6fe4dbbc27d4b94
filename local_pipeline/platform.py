"""The example platform of `attemptlog up`: there in a clone of the repository, not in an installed attemptlog."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

from attemptlog.local_pipeline.database import login_as
from attemptlog.local_pipeline.services import RUN, Service
from attemptlog.local_stack.ports import HOST
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.simulation.run import Addresses
from attemptlog.simulation.tokens import TokenMint

MODULE = "examples.exam_platform.sessions"
ROLE = "exam_platform"
PREPARE_TIMEOUT = 60  # seconds; about one, on an idle machine


def is_here() -> bool:
    """Whether the example is part of this installation."""
    try:
        return find_spec(MODULE) is not None
    except ModuleNotFoundError:
        return False


def origin(port: int) -> str:
    """Return the origin of the platform's pages."""
    return f"http://{HOST}:{port}"


def exam_platform(
    addresses: Addresses,
    mint: TokenMint,
    directory: Path,
    port: int,
    given: OperatorSettings,
    *,
    console_url: str | None,
) -> Service:
    """Make the platform's tables and return its service, not yet started.

    With a PostgreSQL of ours it logs in with the rights that it needs; with another, as the operator says.
    """
    environment = os.environ | {
        "EXAM_PLATFORM_DATABASE_URL": addresses.database_url,
        "EXAM_PLATFORM_KAFKA_BOOTSTRAP_SERVERS": addresses.kafka.bootstrap_servers,
        "EXAM_PLATFORM_TOPIC": addresses.topic,
        "EXAM_PLATFORM_JWT_SECRET": mint.secret,
        "EXAM_PLATFORM_PUBLIC_ORIGIN": origin(port),
        "EXAM_PLATFORM_TELEMETRY_URL": f"{addresses.gateway_url}/v1/telemetry/events",
        "EXAM_PLATFORM_HOST": HOST,
        "EXAM_PLATFORM_PORT": str(port),
    }
    optional = {
        "EXAM_PLATFORM_JWT_AUDIENCE": mint.audience,
        "EXAM_PLATFORM_JWT_ISSUER": mint.issuer,
        "EXAM_PLATFORM_CONSOLE_URL": console_url,
    }
    environment |= {name: value for name, value in optional.items() if value is not None}
    _prepare(environment)
    if given.database_url is None:
        environment |= {"EXAM_PLATFORM_DATABASE_URL": login_as(addresses.database_url, ROLE)}
    return Service("platform", [MODULE], environment, url=origin(port), directory=directory)


def _prepare(environment: dict[str, str]) -> None:
    done = subprocess.run(  # noqa: S603
        [*RUN, MODULE, "prepare"], env=environment, capture_output=True, text=True, timeout=PREPARE_TIMEOUT, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise OperatorError(f"The example platform's tables cannot be made: {last}")
