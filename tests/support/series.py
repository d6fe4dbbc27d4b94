"""The series of a scrape, and that none is born with its first count."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]


def scraped(text: str) -> dict[str, Metric]:
    """Return the metrics of an answer by name."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def counted(registry: CollectorRegistry) -> set[Series]:
    """Return the series of the counters."""
    families = (family for family in registry.collect() if family.type == "counter")
    return {(sample.name, frozenset(sample.labels.items())) for family in families for sample in family.samples}


def assert_nothing_was_born(registry: CollectorRegistry, fresh: CollectorRegistry) -> None:
    """Every series that counts was there in a fresh process: an increase of it can be seen."""
    assert counted(registry) <= counted(fresh)


def values_of(family: Metric, label: str) -> Mapping[str, float]:
    """Return a counter's values by one of its labels."""
    samples = [sample for sample in family.samples if sample.name.endswith("_total")]
    return {sample.labels[label]: sample.value for sample in samples}
