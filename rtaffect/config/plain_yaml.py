"""Plain YAML: words, numbers, lists and keys, read without anything that only an attack needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from rtaffect.core.errors import ConfigError

MAX_BYTES = 65_536
MAX_DEPTH = 12


def compose(path: Path) -> yaml.MappingNode:
    """Return the node tree of a file that holds keys and values.

    Parameters
    ----------
    path : Path
        A file in UTF-8.

    Returns
    -------
    MappingNode
        Nodes with their places in the file; no anchors, no tags, no key twice, bounded in size and
        depth.

    Raises
    ------
    ConfigError
        If the file cannot be read or is anything else.
    """
    text = _text(path)
    try:
        _refuse_tricks(path, text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        msg = (
            f"{path}{where}: not valid YAML: {error.problem}. "
            "Look at the indentation, colons and quotes there and above."
        )
        raise ConfigError(msg) from None
    except yaml.YAMLError as error:
        msg = f"{path} is not valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from None
    if not isinstance(root, yaml.MappingNode):
        msg = f"{path} must hold keys and values in YAML (key: value), got {_kind(root)}."
        raise ConfigError(msg)
    _refuse_repeated_keys(path, root, ())
    return root


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
        raise ConfigError(msg) from None
    if len(data) > MAX_BYTES:
        msg = f"{path} must be a settings file of at most {MAX_BYTES} bytes, and is larger."
        raise ConfigError(msg)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        msg = f"{path} must be a text file in UTF-8; this is something else."
        raise ConfigError(msg) from None


def _refuse_tricks(path: Path, text: str) -> None:
    """Refuse what settings have no use for, before anything is built from it."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = _line(event)
        if getattr(event, "anchor", None) is not None:  # an alias names its anchor, too
            msg = f"{path}, line {line}: anchors and aliases (& and *) are refused; write it out."
            raise ConfigError(msg)
        tag = getattr(event, "tag", None)
        if tag is not None:
            msg = f"{path}, line {line}: the tag {tag!r} is refused; plain values need none."
            raise ConfigError(msg)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            msg = f"{path}, line {line}: nested more than {MAX_DEPTH} levels deep."
            raise ConfigError(msg)


def _refuse_repeated_keys(path: Path, node: yaml.Node, loc: tuple[str | int, ...]) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = _line(key)
            if not isinstance(key, yaml.ScalarNode):
                msg = f"{path}, line {line}: a key must be a plain word, got {_kind(key)}."
                raise ConfigError(msg)
            if key.value in seen:
                msg = (
                    f"{path}: {dotted((*loc, key.value))} stands twice, in lines "
                    f"{seen[key.value]} and {line}; keep one of them."
                )
                raise ConfigError(msg)
            seen[key.value] = line
            _refuse_repeated_keys(path, value, (*loc, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _refuse_repeated_keys(path, item, (*loc, index))


def plain(path: Path, node: yaml.Node) -> Any:
    """Return a node tree's values: lists as tuples, keys as the words that were written.

    Parameters
    ----------
    path : Path
        The file, for messages.
    node : Node
        A tree from `compose`, or a part of it.

    Returns
    -------
    dict, tuple, str, int, float, bool, date, bytes or None
        The values.

    Raises
    ------
    ConfigError
        If a value looks like a number or a date and is none.
    """
    if isinstance(node, yaml.MappingNode):
        return {key.value: plain(path, value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return tuple(plain(path, item) for item in node.value)
    try:
        return yaml.SafeLoader("").construct_object(node)
    except ValueError:  # a date or a number that looks like one but is none
        msg = (
            f"{path}, line {_line(node)}: {shown(node.value)} is no value; quote it if it is text."
        )
        raise ConfigError(msg) from None


def line_of(node: yaml.Node, loc: Sequence[str | int]) -> int:
    """Return the 1-based line of a key, or of the nearest one above it that exists."""
    line = _line(node)
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == part), None)
            if found is None:
                return line
            key, node = found
            line = _line(key)
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
        ):
            node = node.value[part]
            line = _line(node)
    return line


def dotted(loc: Sequence[str | int]) -> str:
    """Return a key's place as it is spoken of: ``decoders[0].bundle``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


def _line(part: yaml.Node | yaml.Event) -> int:
    return part.start_mark.line + 1 if part.start_mark is not None else 0


def _kind(node: yaml.Node | None) -> str:
    kinds = {
        yaml.SequenceNode: "a list",
        yaml.ScalarNode: "a single value",
        yaml.MappingNode: "keys and values",
    }
    return kinds[type(node)] if node is not None else "nothing"


def shown(value: object) -> str:
    """Return a value with its kind, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"{str(value).lower()} (quote it if it is meant as text)"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, dict):
        return f"keys and values ({', '.join(map(str, list(value)[:4]))})"
    if isinstance(value, tuple):
        return f"a list of {len(value)}"
    return f"the {'number' if isinstance(value, int | float) else 'value'} {value}"
