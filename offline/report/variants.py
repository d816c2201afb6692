"""What each variant is: its settings in words, and what was changed in them."""

import json
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from offline.plurals import counted, ranged
from offline.report.numbers import hop_s
from offline.report.study import Study, Variant
from offline.report.words import table

_MODELS = {
    "prior_dfcn": "prior-driven DFCN",
    "mtcnn": "MT-CNN",
    "dgcnn": "DGCNN",
    "svm": "support vector machine",
    "shared_response": "shared responses",
    "asb": "ASB",
    "cnn3d": "3D-CNN",
    "roi_linear": "linear reference",
    "face_linear": "linear reference",
}
_ALONE = {"roi": "ROI frames of fMRI", "volume": "volumes of fMRI", "face": "faces"}
_NO_MATTER = ("name", "bundle")
"""Settings that no number depends on."""
_MOST_NAMES = 8


def variants_in_words(study: Study) -> Iterator[str]:
    """Yield a table of all variants, and what each one changes in the first."""
    known = [variant for variant in study.variants if variant.recipe]
    if not known:
        return
    header = ["variant", "model", "sees", "windows", "answers from", "epochs", "seeds"]
    yield table(header, [_cells(variant) for variant in known], stamps=study.stamps)
    first, *others = known
    yield (
        "Windows: their length, and the step from one to the next in training and tests. Epochs: "
        "how many may be trained, and the number of the one whose weights answer (the median over "
        "folds and seeds, with the first and the last)."
    )
    lines = [f"- **{first.name}**: the recipe as it is at the end of this chapter"]
    lines += [f"- **{v.name}**: {_changes(v.recipe, first=first)}" for v in others]
    yield "\n".join(lines)


def sees_face(recipe: Mapping[str, Any]) -> bool:
    """Return whether the model's answers depend on the face: only the prior of a DFCN does."""
    return bool(recipe["windows"].get("face") and recipe["model"].get("prior", False))


def seen_in_words(study: Study) -> str:
    """Return which of the data set's modalities were used."""
    kinds = {variant.recipe["windows"].get("kind") for variant in study.variants if variant.recipe}
    if alone := sorted(_ALONE[kind] for kind in kinds & set(_ALONE)):
        return " and ".join(alone)
    faces = [sees_face(variant.recipe) for variant in study.variants if variant.recipe]
    if not any(faces):
        return "EEG"
    return "EEG and face" if all(faces) else "EEG; in some variants the face too"


def changed(recipe: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the settings that differ, as the base and as the recipe have them.

    Parameters
    ----------
    recipe, base : mapping
        As JSON holds them.

    Returns
    -------
    dict of str to (str, str)
        By dotted key. A part of another kind (a model, a protocol, a data set) is one change: the
        kind that it was, and the whole part as it is now.
    """
    one, other = _flat(recipe), _flat(base)
    kinds = [
        key
        for key in dict.fromkeys((*recipe, *base))
        if _kind(recipe.get(key)) != _kind(base.get(key))
    ]
    found = {key: (_kind(base.get(key)), _shown(recipe.get(key))) for key in kinds}
    for key in dict.fromkeys((*other, *one)):
        part = key.partition(".")[0]
        if part not in (*_NO_MATTER, *kinds) and one.get(key) != other.get(key):
            was, now = (_shown(x[key]) if key in x else "not set" for x in (other, one))
            found[key] = (was, now)
    return found


def _cells(variant: Variant) -> list[str]:
    recipe = variant.recipe
    windows, sequences = recipe["windows"], recipe["sequences"]
    kind = str(recipe["model"]["kind"])
    return [
        f"**{variant.name}**",
        f"{_MODELS[kind]} (`{kind}`)" if kind in _MODELS else f"`{kind}`",
        _montage(windows) + (" and face" if sees_face(recipe) else ""),
        f"{windows['window_s']:g} s every {hop_s(recipe):g} s",
        ranged(sequences["t_min"], sequences["t_max"], "window"),
        _epochs(variant),
        ", ".join(str(seed) for seed in recipe["seeds"]),
    ]


def _montage(windows: Mapping[str, Any]) -> str:
    if windows.get("kind") == "roi":
        regions = windows["regions"]
        words = f"`{regions}`" if isinstance(regions, str) else counted(len(regions), "region")
        return f"fMRI, {words}, lag {windows['lag_s']:g} s"
    if windows.get("kind") == "volume":
        sides = " x ".join(str(side) for side in windows["shape"])
        return f"fMRI, volumes of {sides} voxels, lag {windows['lag_s']:g} s"
    if windows.get("kind") == "face":
        return "face"
    montage = windows["montage"]
    if isinstance(montage, str):
        words = f"EEG, {montage.rpartition('_')[2]} channels (`{montage}`)"
    else:
        words = f"EEG, {counted(len(montage), 'channel')}"
        words += f" ({', '.join(montage)})" if len(montage) <= _MOST_NAMES else ""
    if windows["bands_hz"]:
        words += f" in {counted(len(windows['bands_hz']), 'band')}"
    return words


def _epochs(variant: Variant) -> str:
    chosen = [curve.chosen for curve in variant.curves if curve.chosen]
    if not chosen:
        return "none: solved at once"
    most = variant.recipe["training"]["max_epochs"]
    spread = f" ({min(chosen)} to {max(chosen)})" if min(chosen) != max(chosen) else ""
    return f"at most {most}; number {median(chosen):g}{spread}"


def _changes(recipe: Mapping[str, Any], *, first: Variant) -> str:
    found = changed(recipe, first.recipe)
    if not found:
        return f"the settings of {first.name}"
    return f"{first.name} with " + "; ".join(
        f"`{key}: {new}` (not `{old}`)" for key, (old, new) in found.items()
    )


def _kind(part: Any) -> str:
    return str(part.get("kind", "")) if isinstance(part, Mapping) else ""


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings by dotted key; an empty mapping is none."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def _shown(value: Any) -> str:
    """Return a value as a recipe has it, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(x)}" for key, x in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_shown(x) for x in value) + "]" if value else "[] (all)"
    return value if isinstance(value, str) else json.dumps(value)
