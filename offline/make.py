"""From a finished run to a bundle."""

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue

from offline.datasets.contract import Dataset, Label
from offline.datasets.scaling import WHY_LEAKY
from offline.datasets.windows import read_windows
from offline.errors import RunError
from offline.export import Windows, export_bundle
from offline.extraction import labels_of, shapes_of
from offline.metrics.evaluation import Evaluation, evaluate
from offline.plurals import counted
from offline.predictions import Predictions, concatenate, read_predictions
from offline.recipe import Recipe
from offline.runs.folder import state, unit_folder, verify
from offline.runs.plan import NO_MATTER, Unit
from offline.runs.record import choose_unit, read_record, read_run_split, units_of
from offline.unit import PREDICTIONS, Facts, read_facts, read_network, without
from rtaffect.bundle import MANIFEST_FILE, Bundle, load_bundle
from rtaffect.core.errors import BundleError
from rtaffect.manifest import DataSet, Metric, Target, Training

_N_EXAMPLES = 16
_PACKAGES = ("torch", "onnx", "numpy", "scipy", "rtaffect")
_PLACES = {"dataset": {"path", "ratings", "openface_path"}, "protocol": {"path"}}
"""Settings that say where files lie on this machine, which is nobody else's business."""


def export_run(
    run: Path,
    out: Path,
    *,
    fold: str | None = None,
    seed: int | None = None,
    replace: bool = False,
    command: str = "",
    report: Callable[[str], None] | None = None,
) -> Bundle:
    """Export one unit of a run as the bundle that its recipe describes.

    The metrics are those of all folds of the run: of what the procedure gives with new people, of
    which the exported weights are one outcome.

    Parameters
    ----------
    run : Path
        Folder of the run.
    out : Path
        Folder for bundles; this one gets a folder of its own in it.
    fold : str, optional
        Whose weights; may be left out where there is one.
    seed : int, optional
        Of the recipe's seeds; the first one by default.
    replace : bool
        A bundle of that name is replaced whatever it came of; else only one of this very training.
    command : str
        What was typed, for the manifest; it follows what the run was begun with.
    report : callable, optional
        Told, once nothing is in the way, what is done now.

    Raises
    ------
    RunError
        The recipe describes no bundle, or scales frames with later ones; a unit of the run is not
        done, there are several folds and none was chosen, or a bundle of that name came of another
        training.
    BundleError
        The export does not answer as the network does.
    """
    record = read_record(run)
    recipe = record.recipe()
    text = recipe.bundle
    if text is None:
        msg = (
            f"A recipe must describe its bundle to be exported, and that of run {record.id} "
            f"({recipe.name}) does not. Give its command again with one more change, "
            f"{record.sessions[-1].command} 'bundle={{name: ..., title: ..., summary: ...}}' (or "
            "write that into a recipe file of your own); nothing is trained again. Then export."
        )
        raise RunError(msg)
    if recipe.windows.scaling != "none":
        msg = (
            f"A model that is exported must be able to run live, and that of run {record.id} "
            f"cannot: {WHY_LEAKY.format(scaling=recipe.windows.scaling)}. Train it with "
            "windows.normalise=running, and export that."
        )
        raise RunError(msg)
    split = read_run_split(run, record)
    unit = choose_unit(record, split, fold=fold, seed=seed)
    units = units_of(record, split)
    _check_finished(run, units)
    settings = recipe.model_dump(mode="json", exclude=_PLACES)
    protocol: dict[str, JsonValue] = {
        "kind": split.protocol,
        "settings": dict(split.settings),
        "fold": unit.fold,
        "seed": unit.seed,
        "n_folds": len(split.folds),
        "digest": split.digest,
    }
    if not replace:
        _check_place(out / text.name, settings, protocol)
    folder = unit_folder(run.parent, unit)
    verify(folder)
    facts = read_facts(folder)
    if report is not None:
        report(
            f"{text.name}: counts what {counted(len(units), 'unit')} said, reads windows of a "
            "tested subject, writes graphs, and checks them on these windows ..."
        )
    dataset = recipe.dataset.open()
    labels = labels_of(recipe, dataset)
    network = read_network(recipe, labels, folder)
    evaluations, metrics = _measure(run, units, recipe)
    protocol["n_people"] = max(found.n_subjects for found in evaluations.values())
    training = Training(
        command=" && ".join(filter(None, (record.sessions[0].command, command))),
        recipe=settings,
        versions={"python": platform.python_version()}
        | {name: version(name) for name in _PACKAGES},
        participants={role: tuple(names) for role, names in facts.subjects.items()},
        n_sequences=facts.n_sequences,
        metrics=metrics,
        data=_data_set(dataset),
        protocol=protocol,
        leaky=facts.leaky,
        checkpoint="validation" if facts.n_epochs else "solved",
    )
    return export_bundle(
        network,
        out / text.name,
        shapes=shapes_of(recipe, labels),
        name=text.name,
        title=text.title,
        summary=text.summary,
        choices=recipe.model.choices(),
        t_min=recipe.sequences.t_min,
        t_max=recipe.sequences.t_max,
        targets=_targets(labels, facts, evaluations),
        training=training,
        examples=_examples(recipe, dataset, facts.subjects["test"][0]),
    )


def _check_finished(run: Path, units: Sequence[Unit]) -> None:
    left = [unit for unit in units if state(unit_folder(run.parent, unit)) != "done"]
    if left:
        msg = (
            "A run must be finished to be exported, because its card tells what all folds give; "
            f"{len(left)} of {len(units)} units are not done, such as {left[0]}. Train on."
        )
        raise RunError(msg)


def _check_place(
    folder: Path, settings: Mapping[str, JsonValue], protocol: Mapping[str, JsonValue]
) -> None:
    """Check that nothing is lost where a bundle is written."""
    if not (folder / MANIFEST_FILE).is_file():
        return
    try:
        there = load_bundle(folder).manifest.training
    except BundleError as error:
        differ = [f"it cannot be read ({error})"]
    else:
        # Older bundles do not say their seed: it was the first one, unless somebody chose.
        before = {"seed": _first_seed(there.recipe)} | dict(there.protocol)
        differ = [
            f"its {word} is {str(before.get(name))[:length]} and not {str(protocol[name])[:length]}"
            for name, word, length in (
                ("fold", "fold", None),
                ("seed", "seed", None),
                ("digest", "split", 12),
            )
            if before.get(name) != protocol[name]
        ]
        names = [name for name in {**there.recipe, **settings} if name not in NO_MATTER]
        other = [name for name in names if there.recipe.get(name) != settings.get(name)]
        differ += [f"its recipe has other settings of {', '.join(other)}"] * bool(other)
    if differ:
        msg = (
            f"{folder} holds a bundle that came of another training: {'; '.join(differ)}. Give "
            "another --out, or another bundle.name in the recipe; --replace replaces it."
        )
        raise RunError(msg)


def _first_seed(recipe: Mapping[str, JsonValue]) -> JsonValue:
    match recipe.get("seeds"):
        case [first, *_]:
            return first
    return None


def _measure(
    run: Path, units: Sequence[Unit], recipe: Recipe
) -> tuple[Mapping[str, Evaluation], Mapping[str, Mapping[str, Metric]]]:
    """Return the evaluation of each target, and what of it stands in the manifest."""
    folders = [unit_folder(run.parent, unit) for unit in units]
    seeds: dict[int, list[Path]] = {}
    for folder in folders:
        seeds.setdefault(read_facts(folder).seed, []).append(folder)
    priors = {read_facts(folder).fold: read_facts(folder).priors for folder in folders}
    evaluations, metrics = {}, {}
    for target in next(iter(priors.values())):
        prior = {fold: by_target[target] for fold, by_target in priors.items()}
        found = evaluate(
            _pooled(seeds, PREDICTIONS, target),
            train_prior=prior,
            seed=0,
            hop_s=recipe.windows.train_hop_s,
        )
        evaluations[target] = found
        kept = dict(found.per_window.scores)
        kept["majority_accuracy"] = found.per_window.trivial["majority"]["accuracy"]
        if len(found.classes) == 2:
            kept["always_high_f1_high"] = found.per_window.trivial["always_high"]["f1_high"]
        else:  # of one class of several a constant may know more than the model
            del kept["f1_high"]
        if not found.is_course:
            kept["balanced_accuracy_per_trial"] = found.per_trial.scores["balanced_accuracy"]
        for name, null in found.shifted.items():
            kept[f"shifted_labels_{name}"] = Metric(value=null.mean)
        for name, metric in found.over_episodes.items():
            kept[f"{name}_over_people_and_episodes"] = metric
        for modality in recipe.training.modality_dropout:
            said = _pooled(seeds, without(modality), target)
            blind = evaluate(said, train_prior=prior, seed=0).per_window.scores
            kept |= {
                f"{name}_without_{modality}": blind[name]
                for name in ("balanced_accuracy", "correlation")
                if name in blind
            }
        metrics[target] = kept
    return evaluations, metrics


def _pooled(seeds: Mapping[int, list[Path]], file: str, target: str) -> list[Predictions]:
    return [
        concatenate([read_predictions(folder / file)[target] for folder in folders])
        for folders in seeds.values()
    ]


def _targets(
    labels: Mapping[str, Label], facts: Facts, evaluations: Mapping[str, Evaluation]
) -> dict[str, Target]:
    targets = {}
    for name, label in labels.items():
        scores = evaluations[name].per_window.scores
        skill = 1.0 - scores["nll"].value / scores["prior_nll"].value
        targets[name] = Target(
            classes=label.classes,
            edges=label.unit_edges(),
            prior=tuple(facts.priors[name]),
            skill=min(1.0, max(0.0, skill)),
            temperature=facts.temperatures[name],
        )
    return targets


def _data_set(dataset: Dataset) -> DataSet:
    about = dataset.about
    return DataSet(
        kind=about.kind,
        title=about.title,
        reference=about.reference,
        licence=about.licence,
        simulated=about.simulated,
    )


def _examples(recipe: Recipe, dataset: Dataset, subject: str) -> Windows:
    """Return real windows of a test subject."""
    recording = next(dataset.recordings(subject))
    windows = read_windows(recording, recipe.window_spec(), hop_s=recipe.windows.train_hop_s)
    picks = np.resize(np.arange(len(windows.index)), max(_N_EXAMPLES, recipe.sequences.t_max))
    return {name: torch.from_numpy(array[picks]) for name, array in windows.inputs.items()}
