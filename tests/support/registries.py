"""Every metric of every service, as a fresh process has them."""

from prometheus_client import CollectorRegistry

from attemptlog.console.metrics import Metrics as ConsoleMetrics
from attemptlog.consumer.metrics import Metrics as ConsumerMetrics
from attemptlog.exporter.metrics import Metrics as ExporterMetrics
from attemptlog.ingest_api.metrics import Metrics as GatewayMetrics
from attemptlog.publisher.metrics import Metrics as LoggerMetrics

REGISTRIES: dict[str, CollectorRegistry] = {
    "Gateway": GatewayMetrics().registry,
    "Consumer": ConsumerMetrics().registry,
    "Event logger": LoggerMetrics().registry,
    "Exporter": ExporterMetrics("parquet").registry,
    "Console": ConsoleMetrics().registry,
}


def known_metrics() -> set[str]:
    """Return the names that queries may use."""
    names = set()
    for registry in REGISTRIES.values():
        for metric in registry.collect():
            suffixes = {"counter": ["_total"], "histogram": ["", "_bucket", "_sum", "_count"]}.get(metric.type, [""])
            names |= {metric.name + suffix for suffix in suffixes}
    return names


def known_labels() -> set[tuple[str, str, str]]:
    """Return metric, label and value of what is there from the start."""
    samples = (it for registry in REGISTRIES.values() for family in registry.collect() for it in family.samples)
    return {(sample.name, label, value) for sample in samples for label, value in sample.labels.items()}
