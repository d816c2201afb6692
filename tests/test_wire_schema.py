"""The JSON Schema and the tables for application writers say what the code says."""

import json
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rtaffect import wire
from rtaffect.core.estimate import as_jsonable
from rtaffect.core.window import Flag
from tests.wire_cases import estimate

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def contents() -> dict[Path, str]:
    made: dict[Path, str] = runpy.run_path(str(ROOT / "tools" / "wire_schema.py"))["contents"]()
    return made


def test_the_schema_and_the_tables_are_up_to_date(contents: dict[Path, str]) -> None:
    stale = [path.name for path, text in contents.items() if path.read_text("utf-8") != text]
    assert not stale, "run python tools/wire_schema.py"


def message() -> dict[str, Any]:
    return {
        "schema": wire.SCHEMA,
        "topic": "estimate/main/",
        "seq": 0,
        "session_id": "s",
        "t_published": 3.5,
        "t_closed": 3.0,
        "t_decoded": 3.25,
        "age_s": 0.5,
        "compute_s": 0.5,
        "estimate": as_jsonable(estimate("main", 3.0)),
    }


@pytest.fixture(scope="module")
def validator(contents: dict[Path, str]) -> jsonschema.Draft202012Validator:
    schema = json.loads(contents[ROOT / "docs" / "wire.schema.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_an_estimate_follows_the_schema(validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(message())
    assert isinstance(wire.build(wire.EstimateMessage, message()), wire.EstimateMessage)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"topic": "estimate/a/b/"},
        {"topic": "health/"},
        {"seq": -1},
        {"t_published": None},
        {"session_id": 1},
        {"estimate": {}},
    ],
)
def test_the_schema_refuses_what_the_code_refuses(
    validator: jsonschema.Draft202012Validator, change: dict[str, Any]
) -> None:
    assert not validator.is_valid(message() | change)
    with pytest.raises(wire.WireError):
        wire.build(wire.EstimateMessage, message() | change)


def test_every_flag_is_explained() -> None:
    text = (ROOT / "docs" / "wire.md").read_text("utf-8")
    assert [flag for flag in Flag if f"`{flag}` (" not in text] == []


def test_the_example_of_the_guide_is_a_message() -> None:
    text = (ROOT / "docs" / "wire.md").read_text("utf-8")
    shown = json.loads(text.split("```json\n")[1].split("```")[0])
    example = wire.build(wire.EstimateMessage, shown)
    assert example.age_s == pytest.approx(example.t_published - example.estimate.t_end)
    assert example.compute_s == pytest.approx(example.t_published - example.t_closed)
