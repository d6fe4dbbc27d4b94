"""How far the targets are, for who does not export and need not wait until all that is imported for it has come."""

from attemptlog.event_store.export_status import ExportStatus, read_status
from attemptlog.exporter.settings import ExporterSettings


def get_export_status(target: str | None = None, settings: ExporterSettings | None = None) -> list[ExportStatus]:
    """Return how far each target is; raises psycopg.Error when PostgreSQL cannot be asked."""
    settings = settings or ExporterSettings()
    return read_status(settings.database_url.get_secret_value(), target)
