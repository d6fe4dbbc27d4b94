from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.support.patient import PatientLoop
from tests.support.spans import Collector, collected, patient_flush


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], PatientLoop]]:
    return {"patient": PatientLoop}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Where the spans of this process go."""
    with patient_flush():
        yield collected(monkeypatch)
