"""Write docs/wire.schema.json, and the tables of docs/wire.md, from the messages in wire.py.

python tools/wire_schema.py            write them
python tools/wire_schema.py --check    exit with 1 when they are not up to date
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from numpydoc.docscrape import ClassDoc

from rtaffect import wire

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- made by tools/wire_schema.py -->\n", "<!-- end -->\n"
SCALARS: Mapping[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": -wire.MAX_INTEGER, "maximum": wire.MAX_INTEGER},
    float: {"type": "number"},
    str: {"type": "string"},
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the second frame of every message."""
    definitions: dict[str, Any] = {}
    for kind in wire.MESSAGES.values():
        _define(kind, definitions)
        properties = definitions[kind.__name__]["properties"]
        description = properties["schema"]["description"]
        properties["schema"] = {"const": wire.SCHEMA, "description": description}
        properties["topic"]["pattern"] = f"^{kind.PATTERN}$"
        properties["seq"]["minimum"] = 0
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"rtaffect messages, version {wire.SCHEMA}",
        "anyOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in wire.MESSAGES.values()],
        "$defs": definitions,
    }


def _define(cls: Any, definitions: dict[str, Any]) -> None:
    described = _descriptions(cls)
    hints = get_type_hints(cls)
    names = [each.name for each in fields(cls) if "frame" not in each.metadata]
    definitions[cls.__name__] = {
        "type": "object",
        "description": _first_line(cls),
        "properties": {
            name: {**_of_hint(hints[name], definitions), "description": described[name]}
            for name in names
        },
        "required": [
            each.name for each in fields(cls) if each.name in names and each.default is MISSING
        ],
    }


def _of_hint(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if is_dataclass(hint):
        name: str = hint.__name__  # type: ignore[union-attr]
        if name not in definitions:
            _define(hint, definitions)
        return {"$ref": f"#/$defs/{name}"}
    origin, args = get_origin(hint), get_args(hint)
    if origin is UnionType:
        known = next(each for each in args if each is not NoneType)
        return {"anyOf": [_of_hint(known, definitions), {"type": "null"}]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _of_hint(args[1], definitions)}
    if origin is tuple and args[-1] is Ellipsis:
        return {"type": "array", "items": _of_hint(args[0], definitions)}
    if origin is tuple:
        items = [_of_hint(each, definitions) for each in args]
        return {"type": "array", "prefixItems": items, "minItems": len(args), "maxItems": len(args)}
    return dict(SCALARS[hint])


def _first_line(cls: Any) -> str:
    return str(ClassDoc(cls)["Summary"][0])


def _descriptions(cls: Any) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say of each field."""
    described: dict[str, str] = {}
    for each in reversed([base for base in cls.__mro__ if is_dataclass(base)]):
        for names, _, lines in ClassDoc(each)["Parameters"]:
            described |= dict.fromkeys(names.split(", "), " ".join(lines).replace("``", "`"))
    return described


def tables() -> str:
    """Return a Markdown table for each object of the schema, messages first."""
    definitions = schema()["$defs"]
    messages = [kind.__name__ for kind in wire.MESSAGES.values()]
    order = sorted(definitions, key=lambda name: name not in messages)
    return "\n".join(_table(name, definitions[name]) for name in order)


def _table(name: str, definition: dict[str, Any]) -> str:
    rows = (
        f"| `{key}` | {_type_words(value)} | {value['description']} |\n"
        for key, value in definition["properties"].items()
    )
    head = "| field | type | meaning |\n|---|---|---|\n"
    return f"### {name}\n\n{definition['description'].replace('``', '`')}\n\n{head}{''.join(rows)}"


def _type_words(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return str(value["$ref"].rpartition("/")[2])
    if "const" in value:
        return str(value["const"])
    if "enum" in value:
        return " or ".join(f'`"{each}"`' for each in value["enum"])
    if "anyOf" in value:
        return " or ".join(_type_words(each) for each in value["anyOf"])
    if "prefixItems" in value:
        return f"[{', '.join(_type_words(each) for each in value['prefixItems'])}]"
    if value["type"] == "array":
        return f"list of {_type_words(value['items'])}"
    if value["type"] == "object":
        return f"object of {_type_words(value['additionalProperties'])}"
    return str(value["type"])


def contents() -> dict[Path, str]:
    """Return what each file should hold."""
    guide = DOCS / "wire.md"
    made = re.sub(
        f"(?<={BEGIN}).*(?={END})",
        lambda _: f"\n{tables()}\n",
        guide.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    return {
        DOCS / "wire.schema.json": json.dumps(schema(), indent=2) + "\n",
        guide: made,
    }


def main() -> int:
    """Write the files, or look whether they are up to date."""
    stale = [p for p, text in contents().items() if not p.exists() or p.read_text("utf-8") != text]
    for path in stale:
        if "--check" in sys.argv:
            print(f"{path} is not up to date: run python tools/wire_schema.py")
        else:
            path.write_text(contents()[path], encoding="utf-8")
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
