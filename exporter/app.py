"""The composition root of the exporter, and what Python programs call."""

import signal
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

from attemptlog.event_store.accesses import Looker
from attemptlog.event_store.export_books import Books, note_export
from attemptlog.exporter.errors import DataError
from attemptlog.exporter.forgetting import follow_purges
from attemptlog.exporter.front import serving
from attemptlog.exporter.service import Exporter
from attemptlog.exporter.settings import ExporterSettings
from attemptlog.exporter.status import get_export_status
from attemptlog.exporter.targets import DEFAULT, target_from_environment
from attemptlog.runtime.logs import log_json_lines
from attemptlog.runtime.pseudonyms import pseudonyms_of
from attemptlog.runtime.who import os_user

__all__ = ["export_attempt_events_to_warehouse", "get_export_status", "resync", "run"]


def run(target: str, settings: ExporterSettings | None = None, *, looker: Looker | None = None) -> int:
    """Export until SIGTERM or SIGINT and return the exit status: 0, or 1 when an event keeps it from going on."""
    settings = settings or ExporterSettings()
    log_json_lines(settings.log_level)
    target_from_environment(target)  # what is wrong with its settings is told now
    stopping = threading.Event()
    make_target = partial(target_from_environment, target)
    exporter = Exporter(settings, target, make_target, looker or _whoever_calls(), stopping=stopping)
    for asked_to_end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked_to_end, lambda *_: stopping.set())
    try:
        with serving(
            settings.exporter_host, settings.exporter_port, exporter.metrics.registry, lambda: exporter.is_ready
        ):
            exporter.run()
    except DataError:
        return 1
    return 0


def export_attempt_events_to_warehouse(
    since_ts: datetime | None = None,
    *,
    target: str = DEFAULT,
    settings: ExporterSettings | None = None,
    progress: Callable[[int], None] = lambda _: None,
    looker: Looker | None = None,
) -> int:
    """Export once what is not exported yet, and return how many rows the target has committed.

    With `since_ts`, an aware datetime, send what is exported already and whose event_ts is not before it, once more:
    the target adds what it lacks, and nothing is moved on. `progress` is called with the number of rows of every chunk;
    `looker` is who exports, which is kept: the user of this machine unless it is given.
    Raises ExportError, and event_store.errors.StoreUnavailable or CannotRun; what was committed stays so, and the
    next call goes on from there.
    """
    settings = settings or ExporterSettings()
    make_target = partial(target_from_environment, target)
    exporter = Exporter(
        settings, target, make_target, looker or _whoever_calls(), stopping=threading.Event(), progress=progress
    )
    return exporter.once() if since_ts is None else exporter.send_again(since_ts)


def resync(target: str, settings: ExporterSettings | None = None, *, looker: Looker | None = None) -> None:
    """Have everything sent once more, for a database or a target that was restored: the target keeps one of each.

    Whoever was purged, and may be back in the target, is forgotten there first.
    """
    settings = settings or ExporterSettings()
    url, pseudonyms = settings.database_url.get_secret_value(), pseudonyms_of(settings.pseudonym_key)
    note_export(url, looker or _whoever_calls())
    with Books(url, target, pseudonyms=pseudonyms) as books, target_from_environment(target) as place:
        place.claim(books.fence)
        follow_purges(books, place, again=True)
        books.resync(place.latest())


def _whoever_calls() -> Looker:
    return Looker(os_user(), "export by a program")
