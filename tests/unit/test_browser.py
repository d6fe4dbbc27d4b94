import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from attemptlog.runtime.errors import OperatorError
from attemptlog.simulation import browser
from attemptlog.simulation.batches import Batch
from attemptlog.simulation.browser import Browsers
from attemptlog.simulation.tally import Tally
from attemptlog.simulation.tokens import TokenMint

BATCH = Batch("a session", "a user", [1, 2, 3], b"{}", timedelta(0))
ACCEPTED = (202, b'{"accepted":3,"rejected":0}', "")
MINT = TokenMint("a secret of the tests, 32 bytes or more")

Answer = tuple[int, bytes, str]


@asynccontextmanager
async def gateway(*answers: Answer | None) -> AsyncIterator[str]:
    """Serve the answers in turn, the last one for ever; None hangs up."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        if answer := left.pop(0) if len(left) > 1 else left[0]:
            status, body, header = answer
            writer.write(b"HTTP/1.1 %d x\r\nconnection: close\r\ncontent-length: %d\r\n" % (status, len(body)))
            writer.write(header.encode() + b"\r\n" + body)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def post(*answers: Answer | None) -> Tally:
    tally = Tally()
    async with gateway(*answers) as url, Browsers(url, MINT, tally) as browsers:
        await browsers.post(BATCH)
    return tally


def accepted(tally: Tally) -> list[int]:
    return [seq for _, _, seq, _, is_accepted in tally.rows() if is_accepted]


async def test_accepted_events_are_remembered_one_by_one() -> None:
    tally = await post(ACCEPTED)

    assert (tally.sent, tally.accepted, tally.retries) == (3, 3, 0)
    assert accepted(tally) == [1, 2, 3]


async def test_a_rejected_event_is_counted_and_not_expected_to_be_stored() -> None:
    reason = b'{"index":1,"code":"invalid_field","message":"m"}'
    tally = await post((202, b'{"accepted":2,"rejected":1,"rejected_reasons_sample":[%s]}' % reason, ""))

    assert (tally.accepted, tally.rejected, tally.reasons) == (2, 1, {"invalid_field": 1})
    assert accepted(tally) == [1, 3]


async def test_a_busy_gateway_is_left_alone_for_as_long_as_it_says() -> None:
    async def post_and_time(first: Answer) -> float:
        began = asyncio.get_running_loop().time()
        tally = await post(first, ACCEPTED)
        assert (tally.sent, tally.accepted, tally.retries) == (3, 3, 1)
        return asyncio.get_running_loop().time() - began

    busy = [(status, b"", "retry-after: 1\r\n") for status in (503, 429)]
    assert min(await asyncio.gather(*map(post_and_time, busy))) >= 1


async def test_a_connection_that_breaks_is_tried_again() -> None:
    tally = await post(None, ACCEPTED)

    assert (tally.sent, tally.accepted, tally.retries) == (3, 3, 1)


async def test_what_gets_no_answer_in_time_is_not_accepted_but_may_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "RETRY_FOR", timedelta(seconds=0.5))
    tally = await post(None)

    assert (tally.accepted, tally.not_accepted) == (0, 3)
    assert {(seq, is_accepted) for _, _, seq, _, is_accepted in tally.rows()} == {(1, False), (2, False), (3, False)}


async def test_tokens_that_the_gateway_refuses_end_the_run() -> None:
    with pytest.raises(OperatorError, match="ATTEMPTLOG_JWT_SECRET"):
        await post((401, b"{}", ""))


async def test_something_else_at_the_address_ends_the_run() -> None:
    with pytest.raises(OperatorError, match="answered 404"):
        await post((404, b"{}", ""))
