"""A settings file becomes settings; a complaint names the line, the key and what it takes."""

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rtaffect.config.plain_yaml import compose, dotted, line_of, plain, shown
from rtaffect.config.session import Session
from rtaffect.core.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)

_REASONS = {
    "bool_type": "must be true or false",
    "dict_type": "must hold keys and values",
    "bool_parsing": "must be true or false",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "literal_error": "is none of the choices",
    "mapping_type": "must hold keys and values",
    "model_attributes_type": "must hold keys and values",
    "model_type": "must hold keys and values",
    "string_pattern_mismatch": "has another form",
    "string_too_short": "must not be empty",
    "string_type": "must be text",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
}
"""Pydantic's kinds of error in the words of somebody who writes a file."""


def load_session(path: str | Path) -> Session:
    """Read and validate a session file.

    Parameters
    ----------
    path : str or Path
        The YAML file. Relative paths inside it count from the working directory.

    Returns
    -------
    Session
        The settings, with every default filled in.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not plain YAML, or a key is unknown, missing or wrong; the
        message names all such keys, with their lines.
    """
    path = Path(path)
    if not path.is_file() and path.suffix in {"", ".yaml", ".yml"}:
        msg = f"There is no session file {path}. `rtaffect init {path}` writes one."
        raise ConfigError(msg)
    return read_settings(path, Session)


def read_settings(path: Path, model: type[Model]) -> Model:
    """Read a YAML file as settings of any kind.

    Parameters
    ----------
    path : Path
        The file.
    model : type of BaseModel
        What it must hold; each field's description says what the key takes.

    Returns
    -------
    BaseModel
        The settings.

    Raises
    ------
    ConfigError
        As in `load_session`.
    """
    root = compose(path)
    try:
        return model.model_validate(plain(path, root))
    except ValidationError as invalid:
        complaints = sorted(
            (line_of(root, _without_tags(model, error["loc"])), _complaint(model, error))
            for error in _errors(invalid)
        )
        lines = [f"  line {line}: {complaint}" for line, complaint in complaints]
        raise ConfigError("\n".join([f"{path} is not valid:", *lines])) from None


def validated(settings: dict[str, Any], model: type[Model], *, where: str) -> Model:
    """Return plain values as settings of any kind.

    Parameters
    ----------
    settings : dict
        As JSON or YAML would hold them.
    model : type of BaseModel
        What they must be.
    where : str
        Where they come from, for the error.

    Raises
    ------
    ConfigError
        A key is unknown, missing or wrong; the message names all such keys.
    """
    try:
        return model.model_validate(settings)
    except ValidationError as invalid:
        complaints = sorted(_complaint(model, error) for error in _errors(invalid))
        lines = [f"  {complaint}" for complaint in complaints]
        raise ConfigError("\n".join([f"{where} is not valid:", *lines])) from None


def kinds_at(model: type[BaseModel], key: str) -> dict[str, type[BaseModel]]:
    """Return settings that a key ``kind`` tells apart; nothing where there are none such.

    Parameters
    ----------
    model : type of BaseModel
        What a file holds.
    key : str
        Dotted key in it.

    Returns
    -------
    dict of str to type of BaseModel
        By kind.
    """
    return _kinds(_models_at(model, key.split(".")))


def _errors(invalid: ValidationError) -> Iterator[ErrorDetails]:
    """Yield pydantic's findings that are no echo of others."""
    errors = invalid.errors(include_url=False)
    yield from (error for error in errors if not _is_echo(error, errors))


def _is_echo(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Return whether a list only counts as short because its items are wrong."""
    place = error["loc"]
    return error["type"] == "too_short" and any(
        other["loc"][: len(place)] == place and len(other["loc"]) > len(place) for other in errors
    )


def _without_tags(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[str | int, ...]:
    """Leave out of a place which of several kinds of settings was meant: no key says that."""
    kept: list[str | int] = []
    owners = [model]
    for part in loc:
        if part not in _kinds(owners):
            kept.append(part)
        owners = _below(owners, part)
    return tuple(kept)


def _kinds(owners: Sequence[type[BaseModel]]) -> dict[str, type[BaseModel]]:
    """Return settings that a key ``kind`` tells apart, by that kind; nothing where there is one."""
    if len(owners) < 2:
        return {}
    return {o.model_fields["kind"].default: o for o in owners if "kind" in o.model_fields}


def _complaint(model: type[BaseModel], error: ErrorDetails) -> str:
    """Word one of pydantic's findings: the key, what it takes, what was got."""
    kind, loc = error["type"], error["loc"]
    key = dotted(_without_tags(model, loc))
    if kind == "value_error":
        words = error["msg"].removeprefix("Value error, ")
        return f"{key}: {words}." if key else f"{words}."
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _kind_complaint(key, _kinds(_models_at(model, loc)), error["input"])
    if kind == "extra_forbidden":
        return f"{key} is not a known key{_of_kind(model, loc[:-1])}. {_hint(model, loc)}"
    words = _description(model, loc)
    takes = f"; it takes: {words}" if words else ""
    if kind == "missing":
        return f"{key} is missing{takes}."
    if kind == "literal_error" and not words:
        choices = error["ctx"]["expected"].replace("False", "false").replace("True", "true")
        return f"{key} must be {choices}, got {shown(error['input'])}."
    reason = _REASONS.get(kind, error["msg"][0].lower() + error["msg"][1:])
    return f"{key} {reason}, got {shown(error['input'])}{takes}."


def _kind_complaint(key: str, kinds: Collection[str], given: Any) -> str:
    """Word that the ``kind`` of settings is none of those that there are, or is not there."""
    choices = ", ".join(kinds)
    if not isinstance(given, Mapping):
        return f"{key} must hold keys and values, got {shown(given)}."
    if "kind" in given:
        kind = given["kind"]
        nearest = difflib.get_close_matches(str(kind).lower(), list(kinds), n=1)
        meant = f" Did you mean {nearest[0]}?" if nearest else ""
        return f"{key}.kind must be one of {choices}; got {shown(kind)}.{meant}"
    glued = any(":" in str(word) for word in given)
    space = f" A space must follow each colon: {key}: {{kind: {next(iter(kinds))}}}."
    return f"{key}.kind is missing; it must be one of {choices}.{space if glued else ''}"


def _of_kind(model: type[BaseModel], loc: Sequence[str | int]) -> str:
    """Return of which kind the settings at a place are, as words; "" where there is one kind."""
    told = loc and loc[-1] in _kinds(_models_at(model, loc[:-1]))
    return f" of kind {loc[-1]}" if told else ""


def _hint(model: type[BaseModel], loc: Sequence[str | int]) -> str:
    valid = list(
        dict.fromkeys(key for owner in _models_at(model, loc[:-1]) for key in owner.model_fields)
    )
    nearest = difflib.get_close_matches(str(loc[-1]).lower(), valid, n=1, cutoff=0.5)
    return (f"Did you mean {nearest[0]}? " if nearest else "") + f"Valid here: {', '.join(valid)}."


def _description(model: type[BaseModel], loc: Sequence[str | int]) -> str:
    """Return the words of the deepest described field on the way to a key, else ""."""
    words = ""
    for end in range(1, len(loc) + 1):
        for owner in _models_at(model, loc[: end - 1]):
            field = owner.model_fields.get(str(loc[end - 1]))
            if field is not None and field.description:
                words = field.description
    return words


def _models_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[type[BaseModel]]:
    """Return the settings classes that may stand at a place; none where plain values stand."""
    owners = [model]
    for part in loc:
        owners = _below(owners, part)
    return owners


def _below(owners: list[type[BaseModel]], part: str | int) -> list[type[BaseModel]]:
    """Return the settings classes one step further: in a list, of a kind, or at a key."""
    if isinstance(part, int):
        return owners
    if part in _kinds(owners):
        return [_kinds(owners)[part]]
    fields = [f for owner in owners if (f := owner.model_fields.get(part)) is not None]
    if not fields and len(owners) == 1:  # a name of one's own, in a mapping of settings
        return owners
    return [m for f in fields for m in _models_in(f.annotation)]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
