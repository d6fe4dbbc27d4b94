"""The exporter as a process: pass after pass, and what becomes of an error."""

import logging
import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta

import psycopg

from attemptlog.event_store.accesses import Looker
from attemptlog.event_store.errors import CannotRun, Occupied, StoreError, Superseded
from attemptlog.event_store.export_books import note_export, note_failure
from attemptlog.event_store.export_status import ExportStatus, read_status
from attemptlog.exporter.errors import (
    DATA,
    SET_UP,
    TRANSIENT,
    DataError,
    ExportError,
    Fenced,
    SetUpError,
    Stopped,
)
from attemptlog.exporter.metrics import Metrics
from attemptlog.exporter.passes import Hooks, Pass, open_pass
from attemptlog.exporter.settings import ExporterSettings
from attemptlog.exporter.target import Receipt, Target
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.pseudonyms import pseudonyms_of

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=1)
SET_UP_PAUSE = timedelta(minutes=5)  # somebody has to see to it first
JITTER = 0.1  # of a pause, so that exporters of many databases do not come all at once

logger = logging.getLogger(__name__)


def class_of(error: Exception) -> str:
    """Return what is done about an error: `set_up`, `transient` or `data`."""
    match error:
        case DataError():
            return DATA
        case Fenced() | Superseded():
            return TRANSIENT  # whoever has taken over is at work; when that ends, it is our turn again
        case SetUpError() | CannotRun():
            return SET_UP
    return TRANSIENT


def pause_after(kind: str, failures: int, dice: Callable[[], float] = random.random) -> float:
    """Return the seconds until the next attempt after so many failures; doubled up to a minute for transient ones."""
    doubled = FIRST_PAUSE * 2 ** min(failures - 1, 16)
    return jittered(SET_UP_PAUSE if kind == SET_UP else min(doubled, LONGEST_PAUSE), dice)


def jittered(pause: timedelta, dice: Callable[[], float] = random.random) -> float:
    """Return the seconds of a pause, give or take a tenth."""
    return pause.total_seconds() * (1 + JITTER * (2 * dice() - 1))


class Exporter:
    """Exports to one target until `stopping` is set; a DataError ends it, for nothing is skipped."""

    def __init__(
        self,
        settings: ExporterSettings,
        name: str,
        make_target: Callable[[], Target],
        looker: Looker,
        *,
        stopping: threading.Event,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.metrics = Metrics(name)
        self.is_ready = False
        self._settings = settings
        self._url = settings.database_url.get_secret_value()
        self._name = name
        self._make_target = make_target
        self._looker = looker
        self._is_noted = False
        self._stopping = stopping
        self._hooks = Hooks(
            progress, self.metrics.rows_forgotten.labels(name).inc, stopping.is_set, self.metrics.count_request
        )

    def run(self) -> None:
        """Export pass by pass; returns once it is told to stop, and raises DataError."""
        failures = 0
        while not self._stopping.is_set():
            try:
                self.once()
            except Stopped:
                return
            except (ExportError, StoreError) as error:
                failures += 1
                self._stopping.wait(pause_after(self._note(error), failures))
                continue
            failures = 0
            self._stopping.wait(jittered(self._settings.export_interval))

    def once(self) -> int:
        """Export what there is and return how many rows the target has committed."""
        with self._pass() as one:
            rows = sum(map(self._count, one.export()))
        self.is_ready = True
        self.metrics.succeed()
        self._show(self.metrics.show)
        return rows

    def send_again(self, since: datetime) -> int:
        """Send finished rows once more; see Pass.send_again."""
        with self._pass() as one:
            return sum(map(self._count, one.send_again(since)))

    def _pass(self) -> AbstractContextManager[Pass]:
        if not self._is_noted:  # once, and not at the start, when PostgreSQL may be away
            note_export(self._url, self._looker)
            self._is_noted = True
        pseudonyms = pseudonyms_of(self._settings.pseudonym_key)
        rows = self._settings.export_batch_rows
        return open_pass(self._url, self._name, self._make_target(), self._hooks, rows, pseudonyms=pseudonyms)

    def _count(self, receipt: Receipt) -> int:
        self.metrics.count(receipt)
        told = {"action": "batch_exported", "target": self._name, "rows": receipt.rows, "bytes": receipt.size}
        logger.info("batch exported", extra=told)
        return receipt.rows

    def _note(self, error: Exception) -> str:
        """Tell everybody; raise it on where nobody but a person can go on."""
        kind = class_of(error)
        self.is_ready = False
        self.metrics.fail(kind)
        level = logging.WARNING if kind == TRANSIENT else logging.ERROR
        told = {"action": "export_failed", "target": self._name, "error_class": kind}
        logger.log(level, "the export does not go on: %s", error, extra=told)
        if not isinstance(error, Occupied | Fenced | Superseded):  # whoever is at work may be well
            with suppress(StoreError):
                note_failure(self._url, self._name, kind, str(error))
        self._show(self.metrics.show_purges)
        if kind == DATA:
            raise error
        return kind

    def _show(self, show: Callable[[ExportStatus], None]) -> None:
        with suppress(psycopg.Error, OperatorError):
            for status in read_status(self._url, self._name):
                show(status)
