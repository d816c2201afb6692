"""The model card: what people must know of a bundle before they believe it, made of its facts."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from offline.plurals import counted, ranged
from rtaffect.core.spec import (
    FrameSpec,
    ModalitySpec,
    RoiSpec,
    SignalSpec,
    VolumeSpec,
    WindowSpec,
)
from rtaffect.manifest import DataSet, Metric, Target, Training
from rtaffect.manifest_graphs import Rest, Slices

LEAKY = "[LEAKY]"
"""In the title of every bundle whose test set took part in training or selection."""

FEW_PEOPLE = 5
"""With fewer an interval over people is not to be believed."""

_WIDTH = 100

_NAMES = {
    "f1_high": "F1 of {high!r}",
    "always_high_f1_high": "F1 of always {high!r}",
    "prevalence": "share of {high!r}",
}
"""What metrics are called whose names hold no class."""

_ROLES = {
    "train": "trained on",
    "validation": "to {does} on",
    "test": "tested on",
}

_CHECKPOINTS = {
    "validation": "The epoch was chosen on the validation {what}",
    "last": "The last epoch was kept; nothing was chosen.",
    "best_test": "The epoch that was best on the TEST {what} was kept, as in some papers.",
    "solved": "It was solved at once, without epochs; the temperature was set on the validation "
    "{what}",
}

_BLIND = (
    *("trivial_", "prior_", "always_", "chance", "prevalence", "majority_", "last_label_"),
    "shifted_labels_",
)
"""How the names of metrics begin that need no model."""


def stamp_title(title: str, *, leaky: bool) -> str:
    """Return the title, stamped if the bundle is leaky."""
    return f"{LEAKY} {title}" if leaky and not title.startswith(LEAKY) else title


def write_card(
    summary: str,
    *,
    windows: WindowSpec,
    slices: Slices,
    targets: Mapping[str, Target],
    training: Training,
    choices: Sequence[str],
    rest: Rest | None = None,
) -> str:
    """Return the card as plain text.

    Parameters
    ----------
    summary : str
        What the model is, in the words of whoever made it.
    windows : WindowSpec
        What it sees.
    slices : Slices
        How many of them.
    targets : mapping of str to Target
        What it answers.
    training : Training
        Where the weights come from; its `data` must be there.
    choices : sequence of str
        What the paper leaves open, and what is taken: `NetworkSettings.choices`.
    rest : Rest or None
        The baseline that it takes.

    Raises
    ------
    ValueError
        The training says nothing of its data.
    """
    if training.data is None:
        msg = "A card must name the data set: give `Training` its `data`."
        raise ValueError(msg)
    parts = [
        *_stamp(training),
        summary.strip(),
        _source(training.data, training),
        *_warnings(training.data),
        f"Input: {_inputs(windows)}. {_looks_back(windows, slices)}{_needs(rest)}",
        _answers(targets),
        _protocol(training),
        _results(training, targets),
        "What the paper leaves open, and what is taken here:\n" + _list(choices),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _stamp(training: Training) -> Iterator[str]:
    if training.leaky:
        how = (
            "Windows were shuffled, and those of one trial were trained on and tested: to know the "
            "trial again looks like knowing what was felt. "
            if _shares_out(training) == "windows"
            else ""
        )
        yield _filled(
            "LEAKY: test data took part in training or in the choice of the weights, to reproduce "
            f"a paper. {how}The numbers below are too good, and say nothing about a new person."
        )


def _source(data: DataSet, training: Training) -> str:
    does = "calibrate" if training.checkpoint == "solved" else "choose the epoch and calibrate"
    people = [
        f"{words.format(does=does)} {len(training.participants[role])}"
        for role, words in _ROLES.items()
        if training.participants.get(role)
    ]
    what = f"Data: {data.title}" + (f" ({data.reference})" if data.reference else "")
    licence = f", licence {data.licence}" if data.licence else ""
    return _filled(
        f"{what}{licence}. People: {', '.join(people) or 'not said'}.{_met_before(training)}"
    )


def _met_before(training: Training) -> str:
    """Return whether those tested were trained on; "" where nobody was."""
    people = {role: set(names) for role, names in training.participants.items()}
    tested, train = people.get("test", set()), people.get("train", set())
    if not tested & (train | people.get("validation", set())):
        return ""
    if tested <= train:
        return " Who was tested was also trained on."
    return " Some of those tested were also trained or validated on."


def _shares_out(training: Training) -> str:
    """Return of what the test set had none in common with training: people, trials or windows."""
    settings = training.protocol.get("settings")
    # A table of windows that is not declared leaky has proved that it keeps trials apart.
    by_window = isinstance(settings, Mapping) and settings.get("windows") and settings.get("leaky")
    if training.protocol.get("kind") == "windows" or by_window:
        return "windows"
    known = {*training.participants.get("train", ()), *training.participants.get("validation", ())}
    return "trials" if known & {*training.participants.get("test", ())} else "people"


def _warnings(data: DataSet) -> Iterator[str]:
    if data.simulated:
        yield _filled(
            "All participants are SIMULATED. Nobody was measured: what it has learned is a "
            "simulation. On a person's EEG it shows that the pipeline runs, and says nothing about "
            "what the person feels."
        )
    yield "Not a medical device."


def _inputs(windows: WindowSpec) -> str:
    words = []
    for modality, spec in windows.modalities.items():
        unit = f" in {spec.unit}" if spec.unit else ""
        one = f"{modality} of {_size(spec)}{unit} at {spec.sfreq:g} Hz"
        if isinstance(spec, SignalSpec) and spec.bands_hz:
            bands = ", ".join(
                f"{k} {low:g}-{high:g} Hz" for k, (low, high) in spec.bands_hz.items()
            )
            one += f", filtered into {bands}"
        words.append(one + (", which may be missing" if spec.optional else ""))
    return "; ".join(words)


def _size(spec: ModalitySpec) -> str:
    match spec:
        case SignalSpec():
            return f"{len(spec.ch_names)} channels"
        case FrameSpec():
            return f"{len(spec.ch_names)} features"
        case RoiSpec():
            return f"{len(spec.ch_names)} regions"
        case VolumeSpec():
            return f"{' x '.join(map(str, spec.shape))} voxels"


def _looks_back(windows: WindowSpec, slices: Slices) -> str:
    if windows.lag_s > 0:
        return (
            f"It answers at each frame, from the {windows.window_s:g} s up to it, and speaks of "
            f"{windows.lag_s:g} s before: blood flow is slow."
        )
    if slices.t_max == 1:
        return f"It answers from one window of {windows.window_s:g} s."
    return (
        f"It answers from {ranged(slices.t_min, slices.t_max, 'consecutive window')} of "
        f"{windows.window_s:g} s."
    )


def _needs(rest: Rest | None) -> str:
    if rest is None:
        return ""
    need = "It needs" if rest.required else "It makes use of"
    return (
        f" {need} a baseline of the person at rest (`rtaffect baseline`), of at least "
        f"{counted(rest.min_windows, 'clean window')}."
    )


def _answers(targets: Mapping[str, Target]) -> str:
    lines = []
    for name, target in targets.items():
        bounds = list(zip(target.edges, target.edges[1:], strict=False))
        shares = ", ".join(
            f"{word} {share:.0%}" + (f" ({bounds[i][0]:g} to {bounds[i][1]:g})" if bounds else "")
            for i, (word, share) in enumerate(zip(target.classes, target.prior, strict=True))
        )
        lines.append(f"{name}: {shares}")
    return "It answers, with the share of each class in training:\n" + _list(lines)


def _protocol(training: Training) -> str:
    kind, what = training.protocol.get("kind"), _shares_out(training)
    words = [f"Protocol: {kind}." if kind else ""]
    words.append(_CHECKPOINTS.get(training.checkpoint, "").format(what=what))
    if training.checkpoint in ("validation", "solved"):
        words[-1] += "." if training.leaky else f", and the test {what} were looked at once."
    return _filled(" ".join(word for word in words if word))


def _results(training: Training, targets: Mapping[str, Target]) -> str:
    if not any(training.metrics.values()):
        return "How well it does was not measured."
    n_folds, fold = training.protocol.get("n_folds", 1), training.protocol.get("fold")
    what = _shares_out(training)
    n_test = len(training.participants.get("test", ()))
    heading = f"On {counted(n_test, 'person', 'people')} tested"
    if n_folds != 1:
        without = "them" if what == "people" else f"these {what}, but not without their people"
        heading = (
            f"On the test {what} of all {n_folds} folds, each answered by a model trained without "
            f"{without} (this one is of fold {fold})"
        )
    heading += ", with 95 % intervals over people where there are any"
    # Over all folds; bundles of before do not say it.
    n_people = training.protocol.get("n_people", n_test if n_folds == 1 else None)
    if isinstance(n_people, int) and n_people < FEW_PEOPLE:
        heading += f" (over fewer than {FEW_PEOPLE} people do not believe them)"
    if training.leaky:
        heading = "LEAKY numbers, not to be believed"
    heading += ", counted per window"
    if any("per_trial" in name for found in training.metrics.values() for name in found):
        heading += " unless they say per trial"
    if what == "windows":
        heading += " (a trial counts once for each fold in which windows of it were tested)"
    lines = []
    for target, metrics in training.metrics.items():
        high = targets[target].classes[-1]
        known = [_said(n, m, high) for n, m in metrics.items() if not n.startswith(_BLIND)]
        blind = [_said(n, m, high) for n, m in metrics.items() if n.startswith(_BLIND)]
        lines.append(f"{target}: {', '.join(known)}" if known else target)
        if blind:
            lines.append(f"{target}, without looking at anybody: {', '.join(blind)}")
    return f"{_filled(heading + ':')}\n{_list(lines)}"


def _said(name: str, metric: Metric, high: str) -> str:
    interval = (
        f" [{metric.ci_low:.3f}, {metric.ci_high:.3f}]"
        if metric.ci_low is not None and metric.ci_high is not None
        else ""
    )
    words = _NAMES[name].format(high=high) if name in _NAMES else name.replace("_", " ")
    return f"{words} {metric.value:.3f}{interval}"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(
        textwrap.fill(line, _WIDTH, initial_indent="- ", subsequent_indent="  ") for line in lines
    )


def _filled(text: str) -> str:
    return textwrap.fill(text, _WIDTH)
