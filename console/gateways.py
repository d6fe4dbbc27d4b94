"""What gateways say that they rejected, from their metrics."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families

from attemptlog.runtime.errors import OperatorError

SCRAPE_TIMEOUT = 2.0  # seconds; a gateway answers within milliseconds
MAX_METRICS_BYTES = 1024 * 1024  # a gateway's are about 20 KiB
REJECTED = "attemptlog_ingest_events_rejected"


async def rejected_by(client: httpx.AsyncClient, url: str) -> Mapping[str, float]:
    """Return by code how many events a gateway rejected since it started; raises OperatorError or httpx.HTTPError."""
    body = bytearray()
    async with client.stream("GET", f"{url.rstrip('/')}/metrics", timeout=SCRAPE_TIMEOUT) as answer:
        if answer.status_code != httpx.codes.OK:
            raise OperatorError(f"{shown(url)} answers /metrics with {answer.status_code}.")
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > MAX_METRICS_BYTES:
                raise OperatorError(f"{shown(url)} answers /metrics with more than {MAX_METRICS_BYTES} bytes.")
    return _rejected(bytes(body), url)


def _rejected(body: bytes, url: str) -> dict[str, float]:
    try:
        families = {family.name: family for family in text_string_to_metric_families(body.decode())}
        samples = families[REJECTED].samples
    except (KeyError, ValueError) as error:
        raise OperatorError(f"{shown(url)} answers /metrics with other metrics than a gateway's.") from error
    return {sample.labels["code"]: sample.value for sample in samples if sample.name == f"{REJECTED}_total"}


def shown(url: str) -> str:
    """Return an address without a login that may be in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
