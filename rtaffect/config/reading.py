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
    "float_type": "must be a number",
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
            for error in invalid.errors(include_url=False)
            if not _is_echo(error, invalid)
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
        complaints = sorted(
            _complaint(model, error)
            for error in invalid.errors(include_url=False)
            if not _is_echo(error, invalid)
        )
        lines = [f"  {complaint}" for complaint in complaints]
        raise ConfigError("\n".join([f"{where} is not valid:", *lines])) from None


def _is_echo(error: ErrorDetails, invalid: ValidationError) -> bool:
    """Return whether a list only counts as short because its items are wrong."""
    place = error["loc"]
    return error["type"] == "too_short" and any(
        other["loc"][: len(place)] == place and len(other["loc"]) > len(place)
        for other in invalid.errors(include_url=False)
    )


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
    owner = _model_at(model, loc[:-1])
    valid = list(owner.model_fields) if owner else []
    nearest = difflib.get_close_matches(str(loc[-1]).lower(), valid, n=1, cutoff=0.5)
    return (f"Did you mean {nearest[0]}? " if nearest else "") + f"Valid here: {', '.join(valid)}."


def _description(model: type[BaseModel], loc: Sequence[str | int]) -> str:
    """Return the words of the deepest described field on the way to a key, else ""."""
    words = ""
    for end in range(1, len(loc) + 1):
        owner = _model_at(model, loc[: end - 1])
        field = owner.model_fields.get(str(loc[end - 1])) if owner else None
        if field is not None and field.description:
            words = field.description
    return words


def _model_at(model: type[BaseModel], loc: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the settings class that stands at a key, None where plain values stand."""
    owner: type[BaseModel] | None = model
    for part in loc:
        if isinstance(part, str) and owner is not None:
            field = owner.model_fields.get(part)
            owner = next(_models_in(field.annotation), None) if field is not None else None
    return owner


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
