"""``key=value`` arguments."""

import pytest

from offline.changes import parse_changes, with_changes
from rtaffect.core.errors import ConfigError


def test_values_are_yaml() -> None:
    found = parse_changes(["a=3", "b.c=[1, 2]", "d=x=y", "e="])
    assert found == {"a": 3, "b.c": [1, 2], "d": "x=y", "e": None}


@pytest.mark.parametrize("text", ["a", "=3", "a=[1", "a: 3", "a=2020-13-45"])
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_changes([text])


def test_a_change_leaves_what_it_was_made_to() -> None:
    settings = {"a": {"b": 1, "c": 2}, "d": 3}
    changed = with_changes(settings, {"a.b": 5, "x.y.z": 7, "d": 4})
    assert changed == {"a": {"b": 5, "c": 2}, "d": 4, "x": {"y": {"z": 7}}}
    assert settings == {"a": {"b": 1, "c": 2}, "d": 3}
