"""What is in rendered Kubernetes manifests: pods, what they are given, and which of them a selector means."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.kustomize import Manifest

COMPONENT = "app.kubernetes.io/component"


@dataclass(frozen=True)
class Pod:
    """The template of a workload's pods, which have one container each."""

    kind: str
    workload: Manifest
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def component(self) -> str:
        return self.labels[COMPONENT]

    @property
    def container(self) -> dict[str, Any]:
        [container] = self.spec["containers"]
        assert isinstance(container, dict)
        return container

    @property
    def command(self) -> list[str]:
        return [str(word) for word in self.container["args"]]

    @property
    def named(self) -> dict[str, dict[str, Any]]:
        """Return what each variable of the container's own list comes from."""
        return {entry["name"]: entry for entry in self.container["env"]}

    @property
    def secrets(self) -> dict[str, dict[str, Any]]:
        found = {name: entry["valueFrom"].get("secretKeyRef") for name, entry in self.named.items()}
        return {name: reference for name, reference in found.items() if reference}

    def maps(self, manifests: list[Manifest]) -> dict[str, str]:
        """Return the variables of the ConfigMaps; fails for one that is not there."""
        data = {it["metadata"]["name"]: it["data"] for it in manifests if it["kind"] == "ConfigMap"}
        given: dict[str, str] = {}
        for source in self.container["envFrom"]:
            given |= data[source["configMapRef"]["name"]]
        return given


def pods_of(manifests: list[Manifest]) -> dict[str, Pod]:
    """Return the pods by component."""
    return {pod.component: pod for pod in _pods(manifests)}


def _pods(manifests: list[Manifest]) -> Iterator[Pod]:
    for it in manifests:
        spec = it.get("spec", {})
        template = spec.get("template") or spec.get("jobTemplate", {}).get("spec", {}).get("template")
        if template:
            yield Pod(it["kind"], it, template["metadata"]["labels"], template["spec"])


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Say whether a LabelSelector with `In` alone, or nothing, means these labels."""
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    wanted = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """Return the manifests of a kind by name."""
    return {it["metadata"]["name"]: it for it in manifests if it["kind"] == kind}
