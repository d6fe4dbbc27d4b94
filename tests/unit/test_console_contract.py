"""The models of the console say what its pages read, field by field."""

import inspect
import re
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from attemptlog.console import models, operations_models
from attemptlog.schemas.events import EVENT_TYPES, SOURCES
from tests.support.documents import ROOT

PAGES = ROOT / "console/pages/src"
TYPES = (PAGES / "api/types.ts").read_text()
CONTRACTS: tuple[ModuleType, ...] = (models, operations_models)
ELSEWHERE = {"Problem"}  # console/problems.py writes it

INTERFACE = re.compile(r"export interface (\w+)(?: extends (\w+))? \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
ALIAS = re.compile(r"export type (\w+) = ([^;]+);")
FIELD = re.compile(r"^  (\w+): ([^;]+|\{[^}]*\}(?:\[\])?);", re.MULTILINE)

ALIASES = dict(ALIAS.findall(TYPES))


def interfaces() -> dict[str, dict[str, str]]:
    """Return the types of the fields of each interface, as TypeScript has them."""
    found: dict[str, dict[str, str]] = {}
    for name, base, body in INTERFACE.findall(TYPES):
        own = dict(FIELD.findall(re.sub(r" *//.*", "", body)))
        found[name] = found.get(base, {}) | own
    return {name: {field: plain(type_) for field, type_ in fields.items()} for name, fields in found.items()}


def plain(type_: str) -> str:
    """Return a type with its aliases written out, and its alternatives in order."""
    for alias, union in ALIASES.items():
        type_ = re.sub(rf"\b{alias}\b", union.replace('"', "'"), type_.replace('"', "'"))
    return " | ".join(sorted(part.strip() for part in _alternatives(type_)))


def _alternatives(type_: str) -> list[str]:
    return [type_] if "<" in type_ else type_.split(" | ")


def classes() -> dict[str, type[BaseModel]]:
    found = (it for module in CONTRACTS for _, it in inspect.getmembers(module, inspect.isclass))
    return {it.__name__: it for it in found if issubclass(it, BaseModel) and it not in (BaseModel, models.Told)}


def fields_of(model: type[BaseModel]) -> dict[str, str]:
    """Return the types of a model's fields in its answers, as TypeScript has them."""
    schema = model.model_json_schema(mode="serialization")
    return {name: plain(_type(part)) for name, part in schema.get("properties", {}).items()}


def _type(part: dict[str, Any]) -> str:
    if "$ref" in part:
        return str(part["$ref"].rpartition("/")[2])
    if "anyOf" in part:
        return " | ".join(map(_type, part["anyOf"]))
    if "enum" in part:
        return " | ".join(f"'{value}'" for value in part["enum"])
    if part.get("type") == "array":
        return f"{_type(part['items'])}[]"
    if part.get("type") == "object":
        return f"Record<{_key(part)}, {_value(part['additionalProperties'])}>"
    return "number" if part.get("type") == "integer" else str(part.get("type"))


def _key(part: dict[str, Any]) -> str:
    return _type(part["propertyNames"]) if "propertyNames" in part else "string"


def _value(part: Any) -> str:
    return "unknown" if part is True else _type(part)


def test_every_interface_has_its_model() -> None:
    assert classes().keys() <= interfaces().keys() - ELSEWHERE


@pytest.mark.parametrize("name", classes())
def test_a_model_has_the_fields_of_its_interface(name: str) -> None:
    assert fields_of(classes()[name]) == interfaces()[name]


def test_live_events_can_be_filtered_by_every_type_and_source() -> None:
    text = (PAGES / "views/operations/live-filters.tsx").read_text()
    found = re.findall(r"const (\w+) = \[(.*?)\]", text, re.DOTALL)
    lists = {name: re.findall(r'"(\w+)"', items) for name, items in found}
    assert lists == {"EVENT_TYPES": list(EVENT_TYPES), "SOURCES": list(SOURCES)}
