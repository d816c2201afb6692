"""A settings file becomes settings; a complaint names the line, the key and what it takes."""

import difflib
from collections.abc import Iterator, Sequence
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
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "literal_error": "is none of the choices",
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
            (line_of(root, error["loc"]), _complaint(model, error))
            for error in _errors(model, invalid)
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
        complaints = sorted(_complaint(model, error) for error in _errors(model, invalid))
        lines = [f"  {complaint}" for complaint in complaints]
        raise ConfigError("\n".join([f"{where} is not valid:", *lines])) from None


def _errors(model: type[BaseModel], invalid: ValidationError) -> Iterator[ErrorDetails]:
    """Yield pydantic's findings, their places as somebody who writes a file would call them."""
    errors = invalid.errors(include_url=False)
    for error in errors:
        if not _is_echo(error, errors):
            error["loc"] = _without_tags(model, error["loc"])
            yield error


def _is_echo(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Return whether a list only counts as short because its items are wrong."""
    place = error["loc"]
    return error["type"] == "too_short" and any(
        other["loc"][: len(place)] == place and len(other["loc"]) > len(place) for other in errors
    )


def _without_tags(model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Leave out of a place which of several kinds of settings was meant: no key says that."""
    kept: list[str | int] = []
    owners = [model]
    for part in loc:
        if part in _kinds(owners):
            owners = [_kinds(owners)[str(part)]]
            continue
        kept.append(part)
        fields = [owner.model_fields.get(str(part)) for owner in owners]
        if isinstance(part, str):
            owners = [m for f in fields if f is not None for m in _models_in(f.annotation)]
    return tuple(kept)


def _kinds(owners: Sequence[type[BaseModel]]) -> dict[str, type[BaseModel]]:
    """Return settings that a key ``kind`` tells apart, by that kind; nothing where there is one."""
    if len(owners) < 2:
        return {}
    return {o.model_fields["kind"].default: o for o in owners if "kind" in o.model_fields}


def _complaint(model: type[BaseModel], error: ErrorDetails) -> str:
    """Word one of pydantic's findings: the key, what it takes, what was got."""
    kind, loc = error["type"], error["loc"]
    key = dotted(loc) or "the file"
    if kind == "extra_forbidden":
        return f"{key} is not a known key. {_hint(model, loc)}"
    words = _description(model, loc)
    takes = f"; it takes: {words}" if words else ""
    if kind == "missing":
        return f"{key} is missing{takes}."
    if kind == "value_error":
        return f"{key}: {error['msg'].removeprefix('Value error, ')}."
    if kind == "literal_error" and not words:
        return f"{key} must be {error['ctx']['expected']}, got {shown(error['input'])}."
    reason = _REASONS.get(kind, error["msg"][0].lower() + error["msg"][1:])
    return f"{key} {reason}, got {shown(error['input'])}{takes}."


def _hint(model: type[BaseModel], loc: tuple[str | int, ...]) -> str:
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
    """Return the settings classes that may stand at a key; none where plain values stand."""
    owners = [model]
    for part in loc:
        if isinstance(part, str):
            fields = [owner.model_fields.get(part) for owner in owners]
            owners = [m for f in fields if f is not None for m in _models_in(f.annotation)]
    return owners


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
