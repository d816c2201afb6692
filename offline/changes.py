"""``key=value`` on a command line: dotted keys of plain settings, and YAML values."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from rtaffect.core.errors import ConfigError


def parse_changes(changes: Sequence[str]) -> dict[str, Any]:
    """Return ``key=value`` arguments as a mapping.

    Raises
    ------
    ConfigError
        One has no ``=``, or its value is no YAML.
    """
    found = {}
    for text in changes:
        key, equals, value = text.partition("=")
        if not (equals and key):
            msg = f"A change must look like training.max_epochs=3, got {text!r}."
            raise ConfigError(msg)
        try:
            found[key] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
            msg = f"The value of {key} must be YAML, got {value!r}."
            raise ConfigError(msg) from error
    return found


def with_changes(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain settings with other values.

    Parameters
    ----------
    settings : mapping
        As JSON or YAML would hold them; left as it is.
    changes : mapping of str to value
        By dotted key; parents that are not there are made.
    """
    changed = dict(settings)
    for key, value in changes.items():
        *parents, last = key.split(".")
        place = changed
        for parent in parents:
            inner = place.get(parent)
            place[parent] = dict(inner) if isinstance(inner, Mapping) else {}
            place = place[parent]
        place[last] = value
    return changed
