"""A reader of kustomizations, for what deploy/kubernetes uses of them; it refuses what it does not know."""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]

KNOWN = {"apiVersion", "kind", "resources", "namespace", "images", "configMapGenerator", "generatorOptions", "patches"}
CLUSTER_WIDE = {"Namespace"}
# By what Kubernetes tells the entries of a list apart; a list that is not here is replaced as a whole.
MERGED_BY = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}
MERGED_IN_KUBERNETES_ONLY = {"initContainers", "envFrom", "topologySpreadConstraints", "imagePullSecrets"}


def render(folder: Path) -> list[Manifest]:
    """Return the manifests that `kubectl kustomize` would print; names of ConfigMaps have another hash than there.

    Raises ValueError for what is not known here, and for a patch or an image of nothing.
    """
    manifests, hashed = _collect(folder)
    for name in hashed:
        _rename(manifests, name)
    return manifests


def _collect(folder: Path) -> tuple[list[Manifest], set[str]]:
    """Return a kustomization's manifests, and the ConfigMaps whose names are to end in a hash."""
    asked: dict[str, Any] = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if unknown := asked.keys() - KNOWN:
        raise ValueError(f"{folder} has {', '.join(sorted(unknown))}")
    manifests: list[Manifest] = []
    hashed: set[str] = set()
    for resource in asked.get("resources", []):
        found, names = _read(folder / resource)
        manifests += found
        hashed |= names
    for generator in asked.get("configMapGenerator", []):
        _generate(manifests, generator)
    options = asked.get("generatorOptions", {})
    if not options.get("disableNameSuffixHash", False):
        hashed |= {generator["name"] for generator in asked.get("configMapGenerator", [])}
    for patch in asked.get("patches", []):
        _patch(manifests, patch)
    for image in asked.get("images", []):
        _set_image(manifests, image)
    for manifest in manifests:
        if "namespace" in asked and manifest["kind"] not in CLUSTER_WIDE:
            manifest["metadata"]["namespace"] = asked["namespace"]
    return manifests, hashed


def _read(resource: Path) -> tuple[list[Manifest], set[str]]:
    if resource.is_dir():
        return _collect(resource)
    return list(yaml.safe_load_all(resource.read_text())), set()


def _generate(manifests: list[Manifest], generator: dict[str, Any]) -> None:
    if unknown := generator.keys() - {"name", "behavior", "literals"}:
        raise ValueError(f"the generator of {generator['name']} has {', '.join(sorted(unknown))}")
    data = dict(literal.split("=", 1) for literal in generator["literals"])
    there = _named(manifests, "ConfigMap", generator["name"])
    if (generator.get("behavior") == "merge") != bool(there):
        raise ValueError(f"{generator['name']} is {'' if there else 'not '}there already")
    if there:
        there[0]["data"] |= data
    else:
        manifests.append(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data}
        )


def _patch(manifests: list[Manifest], asked: dict[str, Any]) -> None:
    if asked.keys() != {"patch"}:
        raise ValueError(f"a patch has {', '.join(sorted(asked))}")
    patch: Manifest = yaml.safe_load(asked["patch"])
    found = _named(manifests, patch["kind"], patch["metadata"]["name"])
    if not found or found[0]["apiVersion"] != patch["apiVersion"]:
        raise ValueError(f"there is no {patch['kind']} {patch['metadata']['name']} to patch")
    merged = merge(found[0], patch)
    found[0].clear()
    found[0].update(merged)


def merge(base: Manifest, patch: Manifest) -> Manifest:
    """Return a strategic merge: null removes, mappings and lists with a key are merged, all else is replaced."""
    merged = copy.deepcopy(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        elif key in MERGED_BY and isinstance(merged.get(key), list):
            merged[key] = _merge_lists(merged[key], value, MERGED_BY[key])
        elif key in MERGED_IN_KUBERNETES_ONLY or (key == "ports" and "image" in merged):
            raise ValueError(f"{key} cannot be patched here")
        else:
            merged[key] = value
    return merged


def _merge_lists(base: list[Manifest], patch: list[Manifest], key: str) -> list[Manifest]:
    entries = {entry[key]: entry for entry in base}
    for entry in patch:
        if entry.get("$patch") == "delete":
            entries.pop(entry[key])
        else:
            entries[entry[key]] = merge(entries.get(entry[key], {}), entry)
    return list(entries.values())


def _set_image(manifests: list[Manifest], image: dict[str, str]) -> None:
    found = [one for it in manifests for one in mappings(it) if one.get("image") == image["name"]]
    if not found or image.keys() - {"name", "newName", "newTag"}:
        raise ValueError(f"the image {image['name']} is nobody's, or is asked for more than a name and a tag")
    for container in found:
        container["image"] = f"{image.get('newName', image['name'])}:{image['newTag']}"


def _rename(manifests: list[Manifest], name: str) -> None:
    [generated] = _named(manifests, "ConfigMap", name)
    digest = hashlib.sha256(json.dumps(generated["data"], sort_keys=True).encode()).hexdigest()
    generated["metadata"]["name"] = f"{name}-{digest[:10]}"
    for mapping in (one for it in manifests for one in mappings(it)):
        for key in ("configMapRef", "configMapKeyRef", "configMap"):
            if key in mapping and mapping[key].get("name") == name:
                mapping[key]["name"] = generated["metadata"]["name"]


def mappings(value: Any) -> list[dict[str, Any]]:
    """Return every mapping within a manifest, itself included."""
    if isinstance(value, list):
        return [found for entry in value for found in mappings(entry)]
    if isinstance(value, dict):
        return [value, *(found for entry in value.values() for found in mappings(entry))]
    return []


def _named(manifests: list[Manifest], kind: str, name: str) -> list[Manifest]:
    return [it for it in manifests if it["kind"] == kind and it["metadata"]["name"] == name]
