from collections.abc import Callable, Mapping

from tests.support.patient import PatientLoop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], PatientLoop]]:
    return {"patient": PatientLoop}
