"""The manifests of deploy/kubernetes, rendered once."""

from tests.support.documents import ROOT
from tests.support.kustomize import Manifest, render
from tests.support.manifests import Pod, pods_of

KUBERNETES = ROOT / "deploy/kubernetes"
RENDERED: dict[str, list[Manifest]] = {name: render(KUBERNETES / name) for name in ("base", "example")}
PODS: dict[str, dict[str, Pod]] = {name: pods_of(manifests) for name, manifests in RENDERED.items()}

PAGE = ROOT / "docs/how-to/run-on-kubernetes.md"
