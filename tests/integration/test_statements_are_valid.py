"""An independent validator of xAPI 1.0.3 looks at a statement of every type."""

import json
import subprocess
from typing import Any

import pytest

from tests.support.documents import ROOT
from tests.support.statements import EVERY, example_row, statement

PROGRAM = ROOT / "tests/support/validate_statements.mjs"


def validate(statements: list[Any]) -> list[list[str]]:
    """Return what the validator has against each."""
    text = json.dumps(statements)
    done = subprocess.run(["node", PROGRAM], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_the_validator_has_nothing_against_a_statement_of_any_type() -> None:
    assert validate([statement(row) for row in EVERY]) == [[] for _ in EVERY]


@pytest.mark.parametrize(
    ("change", "against"),
    [
        ({"id": "7"}, "statement.id"),
        ({"timestamp": "yesterday"}, "statement.timestamp"),
        ({"verb": {"id": "answered"}}, "statement.verb.id"),
        ({"actor": {"account": {"homePage": "exam", "name": "a"}}}, "statement.actor.account.homePage"),
        ({"context": {"registration": "7"}}, "statement.context.registration"),
        ({"context": {"extensions": {"seq": 7}}}, "statement.context.extensions"),
        ({"result": {"duration": "12480"}}, "statement.result.duration"),
        ({"result": {"response": 2}}, "statement.result.response"),
    ],
)
def test_the_validator_finds_what_is_wrong(change: Any, against: str) -> None:
    [found] = validate([statement(example_row("ANSWER_SELECTED")) | change])
    assert [each.partition(" ")[2] for each in found] == [against]
