"""When dead letters are retried, and that nothing that goes wrong with it ends the consumer."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from attemptlog.consumer.background import running
from attemptlog.consumer.metrics import Metrics
from attemptlog.consumer.retries import LONGEST_PAUSE, Retries, longer
from attemptlog.event_store.errors import StoreUnavailable
from tests.support.eventually import eventually

TICK = timedelta(milliseconds=1)


@dataclass
class FakeReplays:
    """Answers with `results` first, one a look, and then finds nothing."""

    results: list[Counter[str] | Exception] = field(default_factory=list)
    looks: int = 0

    async def retry(self, topic: str, within: timedelta) -> Counter[str]:
        self.looks += 1
        result = self.results.pop(0) if self.results else Counter[str]()
        if isinstance(result, Exception):
            raise result
        return result


async def test_what_was_retried_is_counted_by_outcome() -> None:
    replays, metrics = FakeReplays([Counter(inserted=3, session_not_owned=1)]), Metrics()
    retries = Retries(replays, "t", metrics, within=timedelta(hours=1), interval=TICK)
    async with running(retries.run()):
        await eventually(lambda: replays.looks > 1)
    name = "attemptlog_consumer_dead_letters_retried_total"
    assert metrics.registry.get_sample_value(name, {"outcome": "inserted"}) == 3
    assert metrics.registry.get_sample_value(name, {"outcome": "session_not_owned"}) == 1


async def test_it_goes_on_after_whatever_goes_wrong(caplog: pytest.LogCaptureFixture) -> None:
    replays = FakeReplays([StoreUnavailable("away"), RuntimeError("a bug")])
    async with running(Retries(replays, "t", Metrics(), within=TICK, interval=TICK).run()):
        await eventually(lambda: replays.looks > 2)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "dead letters cannot be retried"
    ]


async def test_no_time_means_never() -> None:
    replays = FakeReplays()
    await Retries(replays, "t", Metrics(), within=timedelta(0), interval=TICK).run()
    assert replays.looks == 0


def test_pauses_double_up_to_the_longest_and_never_shrink() -> None:
    assert longer(timedelta(seconds=5)) == timedelta(seconds=10)
    assert longer(timedelta(seconds=40)) == LONGEST_PAUSE
    assert longer(timedelta(minutes=5)) == timedelta(minutes=5)
