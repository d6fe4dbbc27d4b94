"""The tests' own reader of kustomizations does what Kustomize does, or refuses."""

from pathlib import Path

import pytest
import yaml

from tests.support.kustomize import Manifest, merge, render

POD: Manifest = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "it"},
    "spec": {
        "containers": [
            {
                "name": "it",
                "image": "ours",
                "args": ["a", "b"],
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "envFrom": [{"configMapRef": {"name": "settings"}}],
            }
        ]
    },
}
SETTINGS = {"name": "settings", "literals": ["A=1", "B=postgresql://db/x?a=b"]}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return written(tmp_path / "base", {"resources": ["pod.yaml"], "configMapGenerator": [SETTINGS]})


def written(folder: Path, asked: Manifest) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "pod.yaml").write_text(yaml.safe_dump(POD))
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(asked))
    return folder


def overlay(base: Path, **asked: object) -> list[Manifest]:
    return render(written(base.parent / "overlay", {"resources": ["../base"], **asked}))


def test_settings_have_a_name_by_what_is_in_them_and_who_refers_to_them_follows(base: Path) -> None:
    pod, settings = render(base)
    _, others = overlay(base, configMapGenerator=[{"name": "settings", "behavior": "merge", "literals": ["A=2"]}])

    assert settings["data"] == {"A": "1", "B": "postgresql://db/x?a=b"}
    assert others["data"] == settings["data"] | {"A": "2"}
    assert settings["metadata"]["name"] != others["metadata"]["name"]
    [source] = pod["spec"]["containers"][0]["envFrom"]
    assert source["configMapRef"]["name"] == settings["metadata"]["name"]


def test_names_stay_where_no_hash_is_wanted(base: Path) -> None:
    (base / "kustomization.yaml").write_text(
        yaml.safe_dump({"configMapGenerator": [SETTINGS], "generatorOptions": {"disableNameSuffixHash": True}})
    )
    [settings] = render(base)
    assert settings["metadata"] == {"name": "settings"}


def test_an_overlay_sets_namespace_and_image_and_patches(base: Path) -> None:
    patch = {"spec": {"containers": [{"name": "it", "args": ["c"], "env": [{"name": "A", "value": "3"}]}]}}
    pod, _ = overlay(
        base,
        namespace="there",
        images=[{"name": "ours", "newName": "registry.example/ours", "newTag": "1"}],
        patches=[{"patch": yaml.safe_dump({**POD, **patch})}],
    )
    [container] = pod["spec"]["containers"]
    assert pod["metadata"] == {"name": "it", "namespace": "there"}
    assert container["image"] == "registry.example/ours:1"
    assert container["args"] == ["c"]
    assert container["env"] == [{"name": "A", "value": "3"}, {"name": "B", "value": "2"}]


def test_a_merge_removes_what_is_null_and_what_it_says_is_deleted() -> None:
    [container] = POD["spec"]["containers"]
    merged = merge(container, {"args": None, "env": [{"name": "A", "$patch": "delete"}]})
    assert merged == {
        "name": "it",
        "image": "ours",
        "env": [{"name": "B", "value": "2"}],
        "envFrom": container["envFrom"],
    }


@pytest.mark.parametrize(
    "asked",
    [
        {"namePrefix": "a-"},
        {"configMapGenerator": [SETTINGS]},
        {"configMapGenerator": [{"name": "others", "behavior": "merge", "literals": []}]},
        {"configMapGenerator": [{"name": "others", "envs": ["a.env"]}]},
        {"images": [{"name": "theirs", "newTag": "1"}]},
        {"images": [{"name": "ours", "digest": "sha256:0"}]},
        {"patches": [{"patch": yaml.safe_dump({**POD, "metadata": {"name": "another"}})}]},
        {"patches": [{"patch": yaml.safe_dump({**POD, "apiVersion": "v2"})}]},
        {"patches": [{"path": "patch.yaml"}]},
        {"patches": [{"patch": yaml.safe_dump({**POD, "spec": {"containers": [{"name": "it", "ports": []}]}})}]},
    ],
)
def test_what_it_does_not_know_or_finds_nothing_for_is_refused(base: Path, asked: Manifest) -> None:
    with pytest.raises(ValueError, match=r"there|has|image|patched"):
        overlay(base, **asked)
