"""The dashboards ask for what there is, each on one screen."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.dashboards import DASHBOARDS, load, queries
from tests.support.prometheus import promtool
from tests.support.registries import known_labels, known_metrics

QUERIES = queries("1m")
ROWS = 25  # of Grafana's grid of 24 columns, 38 pixels each: what 1080 pixels show


def test_there_is_one_for_each_service() -> None:
    assert [path.stem for path in DASHBOARDS] == ["consumer", "exporter", "gateway"]


def test_prometheus_can_parse_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": expression} for number, (_, expression) in enumerate(QUERIES)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"SUCCESS: {len(QUERIES)} rules found" in promtool("check", "rules", file)


@pytest.mark.parametrize(("panel", "expression"), QUERIES)
def test_a_query_names_metrics_and_labels_that_exist(panel: str, expression: str) -> None:
    named = set(re.findall(r"\battemptlog_\w+", expression))
    assert named
    assert named <= known_metrics(), panel
    for metric, label, value in re.findall(r'(attemptlog_\w+)\{(\w+)="([^"]+)"\}', expression):
        assert (metric, label, value) in known_labels()
    service = {"gateway": "ingest"}.get(panel.partition(":")[0], panel.partition(":")[0])
    assert all(name.startswith(f"attemptlog_{service}_") for name in named)


def test_every_metric_of_the_services_is_shown_somewhere() -> None:
    shown = " ".join(expression for _, expression in QUERIES)
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in known_metrics()}
    wanted = {name for name in families if re.match(r"attemptlog_(ingest|consumer|exporter)_", name)}
    assert {name for name in wanted if name not in shown} == set()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_fits_one_screen_without_gaps(path: Path) -> None:
    cells: Counter[tuple[int, int]] = Counter()
    for panel in load(path)["panels"]:
        at: dict[str, Any] = panel["gridPos"]
        cells.update((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"]))
    assert max(cells.values()) == 1, "panels overlap"
    height = max(y for _, y in cells) + 1
    assert height <= ROWS
    assert set(cells) == {(x, y) for x in range(24) for y in range(height)}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_the_data_source_that_its_reader_chooses(path: Path) -> None:
    dashboard = load(path)
    [variable] = dashboard["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    sources = [panel["datasource"] for panel in dashboard["panels"]]
    sources += [target["datasource"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert all(panel["description"].endswith(".") for panel in dashboard["panels"])
