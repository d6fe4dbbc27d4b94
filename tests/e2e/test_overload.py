"""A gateway that is offered more than it takes: the rest is refused at once, and what it takes is served."""

import asyncio
from collections import Counter

import httpx
import pytest

from tests.support.eventually import PATIENCE, eventually
from tests.support.http import PATH, Exam, gateway, token

CALLERS = 40
REQUESTS_EACH = 15


async def post_again_and_again(client: httpx.AsyncClient, exam: Exam, seen: Counter[int]) -> None:
    headers = {"authorization": f"Bearer {token(exam.user)}"}
    for _ in range(REQUESTS_EACH):
        reply = await client.post(PATH, json={"events": [exam.event(seq=None)] * 50}, headers=headers)
        seen[reply.status_code] += 1
        if reply.status_code == 503:
            assert int(reply.headers["retry-after"]) >= 1
            assert reply.json()["status"] == 503


@pytest.mark.parametrize("bound", ["max_requests_in_flight", "max_bytes_in_flight"])
async def test_over_its_bounds_it_refuses_and_goes_on_serving(
    kafka_bootstrap: str, database: str, exam: Exam, topic: str, bound: str
) -> None:
    bounds = {"max_requests_in_flight": "2", "max_bytes_in_flight": str(320 * 1024)}
    with gateway(
        kafka_bootstrap,
        database,
        topic,
        rate_limit_burst="1000000",
        max_requests_per_user="100",
        **{bound: bounds[bound]},
    ) as url:
        limits = httpx.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=PATIENCE) as client:
            seen: Counter[int] = Counter()
            await asyncio.gather(*(post_again_and_again(client, exam, seen) for _ in range(CALLERS)))
            assert set(seen) == {202, 503}
            assert seen.total() == CALLERS * REQUESTS_EACH
            alone: Counter[int] = Counter()
            await post_again_and_again(client, exam, alone)
            assert alone == {202: REQUESTS_EACH}
            counted = {
                f"attemptlog_ingest_requests_shed_total {float(seen[503])}",
                "attemptlog_ingest_in_flight_requests 0.0",
                "attemptlog_ingest_in_flight_bytes 0.0",
            }

            async def are_counted() -> bool:
                return counted <= set((await client.get("/metrics")).text.splitlines())

            await eventually(are_counted)
