"""Settings become a session file that teaches its own format."""

from collections.abc import Iterator

import yaml
from pydantic import BaseModel

from rtaffect.config.session import Session


def dump_session(session: Session) -> str:
    """Return a session as YAML with a comment a key, so that the file teaches its own format.

    Parameters
    ----------
    session : Session
        Settings; those that are None are written as comments.

    Returns
    -------
    str
        Text for which ``load_session`` gives an equal session.
    """
    return "\n".join(_lines(session, indent="")) + "\n"


def _lines(settings: BaseModel, *, indent: str) -> Iterator[str]:
    """Yield the YAML lines of one settings object; None becomes a comment."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        words = f"  # {field.description}"
        if value is None or value == {}:
            yield f"{indent}# {name}: ...{words}"
        elif isinstance(value, BaseModel):
            yield f"{indent}{name}:{words}"
            yield from _lines(value, indent=indent + "  ")
        elif isinstance(value, tuple) and all(isinstance(item, BaseModel) for item in value):
            yield f"{indent}{name}:{words}"
            for item in value:
                first, *rest = _lines(item, indent=indent + "    ")
                yield f"{indent}  - {first.strip()}"
                yield from rest
        else:
            yield f"{indent}{name}: {_scalar(value)}{words}"


def _scalar(value: object) -> str:
    """Return a value as one line of YAML."""
    plain = list(value) if isinstance(value, tuple) else value
    for style in (None, '"'):  # plain words, unless a line break or the like needs escapes
        text = yaml.safe_dump(
            plain, default_flow_style=True, default_style=style, width=10**9, allow_unicode=True
        )
        text = text.removesuffix("\n").removesuffix("\n...")
        if len(text.splitlines()) == 1:
            return text
    msg = f"a setting must fit one line of YAML, got {value!r}"
    raise AssertionError(msg)
