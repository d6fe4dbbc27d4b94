"""What is wrong with a topic's layout, and what is merely more than wanted."""

from dataclasses import replace
from typing import Any

import pytest

from attemptlog.runtime.layout import FOR_EVER, Layout, wanted_layout

WANTED = wanted_layout(3)


@pytest.mark.parametrize(
    "fields",
    [
        {"partitions": 24},
        {"replication": 5},
        {"replication": 5, "min_insync_replicas": 3},
        {"retention_ms": WANTED.retention_ms + 1},
        {"retention_ms": FOR_EVER},
        {"max_message_bytes": 2**30},
    ],
)
def test_more_is_fine_where_more_is_safer(fields: dict[str, Any]) -> None:
    assert replace(WANTED, **fields).wrong(WANTED) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("partitions", 1),
        ("replication", 2),
        ("retention_ms", WANTED.retention_ms - 1),
        ("retention_ms", 0),
        ("min_insync_replicas", 1),
        ("min_insync_replicas", 3),
        ("cleanup_policy", "compact"),
        ("retention_bytes", 2**40),
        ("unclean_leader_election", "true"),
        ("max_message_bytes", 512 * 1024),
    ],
)
def test_what_can_lose_records_or_refuse_them_is_wrong(name: str, value: Any) -> None:
    layout = replace(WANTED, **{name: value})
    assert layout.wrong(WANTED) == [name]
    [command] = layout.commands(WANTED, "a-topic", "kafka:9092")
    assert "--bootstrap-server kafka:9092" in command
    assert "a-topic" in command


def test_a_layout_is_read_from_what_it_was_created_with() -> None:
    assert Layout.found(WANTED.partitions, WANTED.replication, WANTED.configs) == WANTED
