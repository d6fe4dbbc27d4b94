"""Prometheus and its tool, as `make prometheus` finds or fetches them."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from attemptlog.local_stack.ports import free_port
from tests.support.documents import ROOT
from tests.support.eventually import PATIENCE

FETCHED = ROOT / ".venv/prometheus/usr/bin"
RULES = ROOT / "deploy/prometheus/rules.yml"
RULES_TEST = ROOT / "deploy/prometheus/rules_test.yml"


def executable(name: str) -> str:
    """Return the path of `prometheus` or `promtool`."""
    found = shutil.which(name) or shutil.which(name, path=str(FETCHED))
    assert found, f"no {name} on PATH: `make prometheus`"
    return found


def promtool(*arguments: str | Path) -> str:
    """Run promtool and return what it prints; an AssertionError has that where it fails."""
    done = subprocess.run([executable("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


SCRAPE = "250ms"


def hastened(rules: str) -> str:
    """Return rules in which a minute is a second and an hour a minute."""
    return re.sub(r"(?<!\w)(\d+)h\b", r"\1m", re.sub(r"(?<!\w)(\d+)m\b", r"\1s", rules))


class Prometheus:
    """A real one, that looks every quarter of a second; its API as a client asks it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def query(self, expression: str) -> list[Any]:
        """Return the samples of an instant query; an AssertionError has what Prometheus says of a bad one."""
        return self._data("/query", query=expression)["result"]  # type: ignore[no-any-return]

    def alerts(self) -> dict[str, dict[str, Any]]:
        """Return what fires, by name."""
        found = self._data("/alerts")["alerts"]
        return {it["labels"]["alertname"]: it for it in found if it["state"] == "firing"}

    def healthy_targets(self) -> int:
        return sum(it["health"] == "up" for it in self._data("/targets")["activeTargets"])

    def _data(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(path, params=parameters)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()["data"]


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """Run one with the hastened rules, which scrapes `targets`: job and URL."""
    port = free_port()
    config = {
        "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE},
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [url.removeprefix("http://")]}]}
            for job, url in targets.items()
        ],
    }
    (folder / "rules.yml").write_text(hastened(RULES.read_text()))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    process = subprocess.Popen(
        [
            executable("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=PATIENCE) as client:
            yield Prometheus(client)
    finally:
        process.kill()
        process.wait()
