"""What a release is made of agrees, as CONTRIBUTING.md has it."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.support import landed_release
from tests.support.documents import ROOT

VERSION = json.loads((ROOT / "client/package.json").read_text())["version"]


def test_the_version_is_in_one_place() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    source = pyproject["tool"]["hatch"]["version"]
    assert "version" not in pyproject["project"]
    assert re.findall(source["pattern"], (ROOT / source["path"]).read_text()) == [VERSION]
    assert "version" not in json.loads((ROOT / "package.json").read_text())


def test_the_npm_lock_has_the_version() -> None:
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]["client"]
    assert locked["version"] == VERSION


def test_each_version_begins_with_what_to_do_for_it() -> None:
    _, *versions = re.split(r"^## \[", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert versions
    for text in versions:
        title, _, rest = text.partition("\n")
        assert rest.lstrip().startswith("### Upgrading\n"), title


def test_a_copy_without_the_history_skips_what_needs_it_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="is not in the history of this copy: a full clone tests upgrades"):
        landed_release.unpack(tmp_path / "tree", commit="0" * 40)
    assert not (tmp_path / "tree").exists()
