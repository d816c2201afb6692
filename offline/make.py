"""From a recipe to a bundle: read, fit, calibrate, measure, export."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from offline.datasets.participant import Participant
from offline.datasets.simulated import FIRST_RESERVED_SEED, read_simulated
from offline.evaluation import evaluate, fit_temperature, skill
from offline.export import export_bundle
from offline.models import MODELS
from offline.recipe import BundleSettings, Recipe
from offline.training import Epoch, Sequences, make_sequences, predict, train
from rtaffect.bundle import Bundle
from rtaffect.manifest import Metric, Target, Training

CLASSES = ("low", "high")
EDGES = (-1.0, 0.0, 1.0)

_CARD = """\
{summary}

Trained on {n_train} SIMULATED participants and tested on {n_test} others. Nobody was measured:
what it has learned is a simulation. On a person's EEG it shows that the pipeline runs, and says
nothing about what the person feels. Not a medical device.

Input: {inputs}. It answers from {t_min} to {t_max} consecutive windows of {window_s:g} s.
Truth: the course's mean over the newest window; "high" is above 0.

On the held-out participants (95 % interval over participants):
{results}

Participants from seed {first_reserved} on were not used at all.

What the paper leaves open, and what is taken here:
{choices}
- The head looks back on {t_min} to {t_max} windows (the paper: 20), trained on random numbers of
  them; the epoch is chosen, and probabilities are calibrated, on {n_validation} validation
  participants.
"""


class Reporter(Protocol):
    """Hears how far a run is; called on the run's own thread."""

    def on_participant(self, n_done: int, n_total: int) -> None:
        """Hear that a participant's windows were read."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Hear that an epoch ended."""


def make_bundle(
    recipe: Recipe, wanted: BundleSettings, folder: Path, *, command: str, reporter: Reporter
) -> Bundle:
    """Train one bundle of a recipe and write it.

    Parameters
    ----------
    recipe : Recipe
        The whole recipe; it is kept in the manifest.
    wanted : BundleSettings
        Which of its bundles.
    folder : Path
        Where to write it; an older one there is replaced.
    command : str
        What was typed, for the manifest.
    reporter : Reporter
        Told how far it is.

    Returns
    -------
    Bundle
        Read back and verified.

    Raises
    ------
    BundleError
        The export does not answer as the model does.
    """
    spec = wanted.windows()
    people = _read(recipe, wanted, reporter)
    torch.manual_seed(recipe.seed)
    model = MODELS[wanted.model.kind](
        wanted.model,
        n_channels=len(spec.modalities["eeg"].ch_names),
        n_face=len(spec.modalities["face"].ch_names) if wanted.face else 0,
        sfreq=spec.modalities["eeg"].sfreq,
        targets=dict.fromkeys(people["train"][0].truth, len(CLASSES)),
    )
    model.encoder.fit_scales(
        {key: torch.from_numpy(array) for key, array in person.inputs.items()}
        for person in people["train"]
    )
    sequences = {
        role: make_sequences(model, group, window_s=spec.window_s, t_max=wanted.t_max)
        for role, group in people.items()
    }
    train(model, sequences, recipe.optimiser, seed=recipe.seed, report=reporter.on_epoch)
    targets, metrics = _measure(model, sequences, with_face=wanted.face, seed=recipe.seed)
    training = Training(
        command=command,
        recipe=recipe.model_dump(mode="json"),
        versions={"python": platform.python_version()}
        | {name: version(name) for name in ("torch", "onnx", "numpy", "scipy", "rtaffect")},
        participants={role: tuple(p.name for p in group) for role, group in people.items()},
        n_sequences={role: len(data.rows) for role, data in sequences.items()},
        metrics=metrics,
    )
    return export_bundle(
        model,
        folder,
        name=wanted.name,
        title=wanted.title,
        description=_card(recipe, wanted, metrics),
        simulated=True,
        windows=spec,
        t_min=wanted.t_min,
        t_max=wanted.t_max,
        targets=targets,
        training=training,
        examples=_examples(people["test"][0], n_windows=max(8, wanted.t_max)),
    )


def _read(
    recipe: Recipe, wanted: BundleSettings, reporter: Reporter
) -> dict[str, list[Participant]]:
    roles = recipe.dataset.seeds()
    n_total = sum(len(seeds) for seeds in roles.values())
    people: dict[str, list[Participant]] = {role: [] for role in roles}
    owners = [role for role, seeds in roles.items() for _ in seeds]
    everybody = [seed for seeds in roles.values() for seed in seeds]
    readings = read_simulated(recipe.dataset, wanted.windows(), everybody)
    for n_done, (role, person) in enumerate(zip(owners, readings, strict=True), start=1):
        people[role].append(person)
        reporter.on_participant(n_done, n_total)
    return people


def _examples(person: Participant, *, n_windows: int) -> dict[str, Tensor]:
    """Return some windows, as many again without a face where there may be one."""
    picks = np.arange(n_windows) % len(person.index)
    windows = {key: torch.from_numpy(array[picks]) for key, array in person.inputs.items()}
    return {
        key: torch.cat([x, torch.zeros_like(x) if key.startswith("face") else x])
        for key, x in windows.items()
    }


def _measure(
    model: torch.nn.Module, sequences: Mapping[str, Sequences], *, with_face: bool, seed: int
) -> tuple[dict[str, Target], dict[str, dict[str, Metric]]]:
    """Calibrate on the validation participants, then look at the test participants once."""
    validation, test = sequences["validation"], sequences["test"]
    raw = {"validation": predict(model, validation), "test": predict(model, test)}
    blind = predict(model, test, without_face=True) if with_face else {}
    targets, metrics = {}, {}
    for name, labels in sequences["train"].labels.items():
        # One more of each, so that a class that nobody had is unlikely, not impossible.
        counts = torch.bincount(labels, minlength=len(CLASSES)).double() + 1
        prior: Tensor = counts / counts.sum()
        temperature = fit_temperature(raw["validation"][name], validation.labels[name])
        logits = raw["test"][name] / temperature
        metrics[name] = evaluate(logits, test, name, prior=prior, seed=seed)
        if name in blind:
            faceless = evaluate(blind[name] / temperature, test, name, prior=prior, seed=seed)
            metrics[name] |= {
                f"{key}_without_face": faceless[key] for key in ("balanced_accuracy", "correlation")
            }
        targets[name] = Target(
            classes=CLASSES,
            edges=EDGES,
            prior=tuple(prior.tolist()),
            skill=skill(logits, test.labels[name], prior),
            temperature=temperature,
        )
    return targets, metrics


def _card(
    recipe: Recipe, wanted: BundleSettings, metrics: Mapping[str, Mapping[str, Metric]]
) -> str:
    results = "\n".join(
        f"- {target}: {name.replace('_', ' ')} {m.value:.3f} [{m.ci_low:.3f}, {m.ci_high:.3f}]"
        for target, table in metrics.items()
        for name, m in table.items()
        if name.startswith(("balanced_accuracy", "correlation", "trivial_accuracy"))
    )
    spec = wanted.windows()
    n_channels = len(spec.modalities["eeg"].ch_names)
    return _CARD.format(
        summary=wanted.summary.strip(),
        n_train=recipe.dataset.n_train,
        n_test=recipe.dataset.n_test,
        inputs=f"{n_channels} EEG channels"
        + (", and facial features if any" if wanted.face else ""),
        t_min=wanted.t_min,
        t_max=wanted.t_max,
        window_s=spec.window_s,
        results=results,
        first_reserved=FIRST_RESERVED_SEED,
        n_validation=recipe.dataset.n_validation,
        choices="\n".join(f"- {choice}" for choice in wanted.model.choices()),
    )
