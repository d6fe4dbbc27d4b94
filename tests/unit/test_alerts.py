"""The alerts: each fires and is silent when it should, and says where to read on."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.documents import ROOT, all_blocks, anchors, rows, table
from tests.support.prometheus import RULES, RULES_TEST, promtool
from tests.support.registries import known_labels, known_metrics

GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALL_RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in ALL_RULES if "alert" in rule}
OBSERVABILITY = ROOT / "docs/observability.md"


def test_prometheus_can_load_the_rules() -> None:
    assert f"SUCCESS: {len(ALL_RULES)} rules found" in promtool("check", "rules", RULES)


def test_every_alert_fires_on_what_it_is_for_and_on_nothing_else() -> None:
    assert "SUCCESS" in promtool("test", "rules", RULES_TEST)


def test_prometheus_can_load_the_configurations(tmp_path: Path) -> None:
    [shown] = [block.text for block in all_blocks("yaml") if block.document.name == "watch-with-prometheus.md"]
    for text in (shown, (RULES.parent / "prometheus.yml").read_text()):
        (tmp_path / "rules.yml").write_text(RULES.read_text())
        (tmp_path / "prometheus.yml").write_text(text)
        promtool("check", "config", tmp_path / "prometheus.yml")
        jobs = [job["job_name"] for job in yaml.safe_load(text)["scrape_configs"]]
        assert all(re.fullmatch(r"attemptlog-(gateway|consumer|exporter|console)", job) for job in jobs)


def expectations() -> list[tuple[str, bool]]:
    """Return what rules_test.yml expects: an alert, and whether it fires."""
    found = []
    for test in yaml.safe_load(RULES_TEST.read_text())["tests"]:
        for check in test["promql_expr_test"]:
            name = re.search(r'ALERTS\{alertname="(\w+)", alertstate="firing"\}', check["expr"])
            assert name is not None, check
            found.append((name[1], bool(check["exp_samples"])))
    return found


def test_every_alert_is_tested_firing_and_silent() -> None:
    assert set(expectations()) == {(name, fires) for name in ALERTS for fires in (True, False)}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_is_wrong_and_where_to_read_on(name: str) -> None:
    annotations = ALERTS[name]["annotations"]
    document, _, anchor = annotations["runbook"].partition("#")
    assert annotations["summary"].endswith(".")
    assert anchor == name.lower()
    assert anchor in anchors(ROOT / document)
    assert ALERTS[name]["labels"]["severity"] in {"page", "ticket"}


def test_the_runbook_has_no_heading_without_an_alert() -> None:
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(ALERTS)


def test_the_documents_list_every_alert() -> None:
    listed = [re.findall(r"\w+", row[0])[0] for row in rows(table(OBSERVABILITY, "Alerts"))]
    assert listed == list(ALERTS)


def test_the_rules_name_metrics_that_exist() -> None:
    recorded = {rule["record"] for rule in ALL_RULES if "record" in rule}
    for rule in ALL_RULES:
        assert set(re.findall(r"\battemptlog_\w+", rule["expr"])) <= known_metrics()
        assert set(re.findall(r"\battemptlog:[\w:]+", rule["expr"])) <= recorded


def test_the_rules_name_labels_that_are_there_from_the_start() -> None:
    for rule in ALL_RULES:
        for metric, label, value in re.findall(r'(attemptlog_\w+)\{(\w+)="([^"]+)"\}', rule["expr"]):
            assert (metric, label, value) in known_labels()
