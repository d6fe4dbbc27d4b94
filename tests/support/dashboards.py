"""The dashboards' queries, as Prometheus gets them."""

import json
from pathlib import Path
from typing import Any

from tests.support.documents import ROOT

DASHBOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def queries(rate_interval: str) -> list[tuple[str, str]]:
    """Return every panel and query of every dashboard, with Grafana's one variable filled in."""
    return [
        (f"{path.stem}: {panel['title']}", target["expr"].replace("$__rate_interval", rate_interval))
        for path in DASHBOARDS
        for panel in load(path)["panels"]
        for target in panel["targets"]
    ]
