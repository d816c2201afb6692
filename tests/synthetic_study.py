"""A study whose truth is known: how often each variant is right, and how sure it is."""

from collections.abc import Mapping

import numpy as np

from offline.datasets.contract import About, Label
from offline.predictions import Predictions
from offline.recipe import Recipe
from offline.report.study import Checkpoint, Curve, Design, ScalpMaps, Study, Variant
from rtaffect.core.montages import EEG_32

TARGETS = ("valence", "arousal")
RECIPE = Recipe.model_validate(
    {
        "name": "prior_dfcn",
        "dataset": {"kind": "simulated", "n_subjects": 8},
        "windows": {"face": True, "train_hop_s": 1.5},
        "model": {"kind": "prior_dfcn"},
        "sequences": {"t_max": 4},
        "training": {"modality_dropout": {"face": 0.3}},
        "protocol": {"kind": "loso"},
    }
).model_dump(mode="json")
LABELS = {name: Label(classes=("low", "high"), edges=(1.0, 5.0, 9.0)) for name in TARGETS}


def make_predictions(
    hit_rate: float,
    *,
    seed: int,
    n_subjects: int = 8,
    n_trials: int = 20,
    n_windows: int = 5,
    prevalence: float = 0.6,
) -> Predictions:
    """Return answers whose every trial is right with `hit_rate`, all windows alike.

    The stated probability of each answer is `hit_rate` itself, so that it is calibrated.
    """
    labels = np.random.default_rng(999).random((n_subjects, n_trials)) < prevalence
    rng = np.random.default_rng(seed)
    said = np.where(rng.random(labels.shape) < hit_rate, labels, ~labels)
    subject, trial, window = (
        index.ravel() for index in np.indices((n_subjects, n_trials, n_windows))
    )
    label = labels[subject, trial].astype(np.int64)
    answer = said[subject, trial].astype(np.int64)
    p_high = np.where(answer == 1, max(hit_rate, 0.501), 1.0 - max(hit_rate, 0.501))
    names = np.array([f"s{i + 1:02d}" for i in range(n_subjects)])
    return Predictions(
        classes=("low", "high"),
        subject=names[subject],
        session=np.full(len(label), "1"),
        trial=np.array([f"t{i + 1:02d}" for i in range(n_trials)])[trial],
        stimulus=np.array([f"clip{i + 1:02d}" for i in range(n_trials)])[trial],
        window=window.astype(np.int64),
        fold=names[subject],
        label=label,
        value=np.where(label == 1, 7.0, 3.0),
        log_p=np.log(np.stack([1.0 - p_high, p_high], axis=1)),
    )


def make_variant(
    name: str, hit_rate: float, *, seed: int = 0, test_gain: float | None = None
) -> Variant:
    """Return a variant with learning curves; with `test_gain` also the best epoch on test."""
    rates: dict[Checkpoint, float] = {"validation": hit_rate, "last": hit_rate - 0.02}
    if test_gain is not None:
        rates["best_test"] = hit_rate + test_gain
    answers: Mapping[Checkpoint, Mapping[str, tuple[Predictions, ...]]] = {
        checkpoint: {
            target: (make_predictions(rate, seed=100 * seed + i),)
            for i, target in enumerate(TARGETS)
        }
        for checkpoint, rate in rates.items()
    }
    return Variant(
        name=name,
        run_id=f"{seed:012x}",
        recipe=RECIPE,
        commands=("rtaffect-offline sweep my.yaml training.max_epochs=12",),
        n_people={"train": (5, 5), "validation": (2, 2), "test": (1, 1)},
        answers=answers,
        train_priors={t: {f"s{i + 1:02d}": [0.4, 0.6] for i in range(8)} for t in TARGETS},
        curves=tuple(_curve(f"s{i + 1:02d}", seed=i) for i in range(8)),
        choices=("Pearson's r is taken over the five band powers.",),
    )


def make_study(
    *, leaky: bool = False, simulated: bool = True, rates: Mapping[str, float] | None = None
) -> Study:
    """Return a study of a full model and two ablations."""
    rates = rates or {"full": 0.75, "w/o PKE": 0.62, "w/o NL": 0.74}
    variants = [
        make_variant(name, rate, seed=i, test_gain=0.1 if leaky else None)
        for i, (name, rate) in enumerate(rates.items())
    ]
    return Study(
        name="prior_dfcn",
        about=About(
            kind="simulated" if simulated else "deap",
            title="Simulated participants" if simulated else "DEAP",
            reference="doi:10.1109/T-AFFC.2011.15",
            licence="CC-BY-4.0",
            how_to_get="",
            modalities=("eeg", "face"),
            simulated=simulated,
        ),
        labels=LABELS,
        design=Design(
            protocol="window_kfold" if leaky else "loso",
            settings={"kind": "loso", "n_validation": 2},
            level="window" if leaky else "trial",
            disjoint=() if leaky else ("subject", "session", "trial"),
            leaky=leaky,
            test_chooses=leaky,
            n_folds=8,
            digest="ab" * 32,
        ),
        recipe=RECIPE,
        versions={"rtaffect": "0.1.0", "torch": "2.13.0"},
        variants=tuple(variants),
    )


def make_maps() -> ScalpMaps:
    """Return maps that are high at the front for one class and at the back for the other."""
    front = np.linspace(1.0, 0.0, len(EEG_32))
    return ScalpMaps(
        title="How much each channel goes with the face",
        unit="prior",
        caption="Mean prior of each channel.",
        ch_names=EEG_32,
        panels={"valence high": front, "valence low": front[::-1].copy()},
        n_windows={"valence high": 120, "valence low": 80},
    )


def _curve(fold: str, *, seed: int) -> Curve:
    rng = np.random.default_rng(seed)
    epochs = np.arange(1, 13 + seed % 4)
    train = 0.69 - 0.03 * epochs + 0.01 * rng.normal(size=len(epochs))
    validation = 0.69 - 0.02 * epochs + 0.0014 * epochs**2 + 0.01 * rng.normal(size=len(epochs))
    return Curve(
        fold=fold,
        seed=0,
        train_nll=tuple(train.tolist()),
        validation_nll=tuple(validation.tolist()),
        chosen=int(validation.argmin()) + 1,
    )
