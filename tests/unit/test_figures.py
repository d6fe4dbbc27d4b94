"""How a service that works figures out shares the machine."""

from datetime import timedelta

import pytest

from attemptlog.event_store.figures import IDLE, pause_after


@pytest.mark.parametrize(
    ("took", "duty", "is_idle", "pause"),
    [
        pytest.param(1.0, 0.25, False, 3.0, id="three times as long as it worked"),
        pytest.param(0.2, 0.5, False, 0.2, id="as long"),
        pytest.param(0.01, 0.25, True, IDLE.total_seconds(), id="nothing is due"),
        pytest.param(2.0, 0.25, True, 6.0, id="even looking takes long"),
    ],
)
def test_the_pause_keeps_to_the_share_of_the_time(took: float, duty: float, is_idle: bool, pause: float) -> None:
    assert pause_after(timedelta(seconds=took), duty, is_idle=is_idle) == timedelta(seconds=pause)
