"""The report as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from offline.metrics.answers import TRIAL_RULE
from offline.metrics.evaluation import Evaluation, Level
from offline.report.drawing import Drawing
from offline.report.numbers import HEADLINE, Answer, Change, Numbers
from offline.report.study import CHECKPOINTS, Study, Variant
from offline.report.words import describe, labels_in_words, table
from rtaffect.manifest import Metric

SCORES = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "f1_high": "F1 of {high!r}",
    "macro_f1": "macro F1",
    "macro_precision": "macro precision",
    "macro_sensitivity": "macro sensitivity",
}
_PROBABILITY = {
    "nll": "negative log likelihood",
    "prior_nll": "that of the training set's shares",
    "ece": "calibration error (ECE)",
    "correlation": "correlation with the rating, within subjects",
}
_TRIVIAL = {
    "always_high": "always the last class",
    "majority": "always the class most frequent in training",
    "last_label": "the label of the trial before",
}


def write_page(study: Study, numbers: Numbers, drawings: Sequence[Drawing]) -> str:
    """Return the whole report.

    Parameters
    ----------
    study : Study
        What was asked.
    numbers : Numbers
        What came of it.
    drawings : sequence of Drawing
        Figures, which lie in ``figures/`` beside the report.
    """
    sections = [
        *_opening(study, numbers),
        *_answers(study, numbers),
        *_epochs(study, numbers),
        *_changes(study, numbers.changes),
        *_figures(study, drawings),
        *_choices(study.variants),
        *_provenance(study),
    ]
    return "\n\n".join(sections) + "\n"


def _opening(study: Study, numbers: Numbers) -> Iterator[str]:
    title = f"# {study.name} ({study.design.protocol}) on {study.about.title}"
    yield " · ".join([title, *(stamp.partition(":")[0] for stamp in study.stamps)])
    if study.stamps:
        yield "\n".join(f"> **{stamp}**\n>" for stamp in study.stamps).removesuffix("\n>")
    yield "## What was asked"
    about = study.about
    done = [answer.chosen for answer in numbers.answers]
    sizes = sorted({(e.n_subjects, e.per_trial.n, e.per_window.n, e.n_seeds) for e in done})
    counts = "; ".join(
        f"{n_subjects} subjects, {n_trials} trials, {n_windows} windows, {n_seeds} "
        + ("trainings each" if n_seeds > 1 else "training each")
        for n_subjects, n_trials, n_windows, n_seeds in sizes
    )
    seen = " and ".join({"eeg": "EEG"}.get(name, name) for name in about.modalities)
    lines = [
        f"Data: {about.title} ({seen}). Reference: {about.reference or 'none'}. "
        f"Licence: {about.licence.rstrip('.') or 'not stated'}.",
        f"Tested: {counts}.",
        *(f"Answered: {text}." for text in labels_in_words(study)),
        *describe(study.design),
    ]
    yield "\n".join(f"- {line}" for line in lines)
    for variant in study.variants:
        if variant.no_maps:
            yield f"> No maps of {variant.name}: {variant.no_maps}"
    if study.n_missing:
        unfinished = ", ".join(f"{v.name}: {v.n_missing}" for v in study.variants if v.n_missing)
        yield (
            f"> **NOT FINISHED: {study.n_missing} units are missing ({unfinished}). Their folds "
            "are in no number below.**"
        )


def _answers(study: Study, numbers: Numbers) -> Iterator[str]:
    yield "## What came of it"
    yield (
        "95 % intervals in brackets are bootstraps over subjects. p: how often balanced accuracy "
        "is as high after shuffling labels over the trials of each subject. Rows in italics know "
        "nothing of the signals; a model that does not beat them has learned nothing. A trial is "
        f"answered by the {TRIAL_RULE}. Windows of one trial are not independent: numbers per "
        "window are for comparison with papers that give them, those per trial are the result."
    )
    for target in study.labels:
        answers = numbers.of(target)
        for per in ("trial", "window"):
            yield f"### {target.capitalize()}, per {per}"
            levels = [_level(answer, per) for answer in answers]
            yield _score_table(answers, levels, per=per, stamps=study.stamps)
        yield f"### {target.capitalize()}: what the probabilities are worth, per window"
        yield _probability_table(answers, stamps=study.stamps)


def _level(answer: Answer, per: str) -> Level:
    return answer.chosen.per_trial if per == "trial" else answer.chosen.per_window


def _score_table(
    answers: Sequence[Answer], levels: Sequence[Level], *, per: str, stamps: Sequence[str]
) -> str:
    rows = [
        [f"**{answer.variant}**", *_cells(level.scores, SCORES), _p(level.p[HEADLINE])]
        for answer, level in zip(answers, levels, strict=True)
    ]
    first = levels[0]
    rows += [[f"*{_TRIVIAL[k]}*", *_cells(v, SCORES), ""] for k, v in first.trivial.items()]
    high = answers[0].chosen.classes[-1]
    prevalence = first.scores["prevalence"].value
    header = [f"per {per}", *(text.format(high=high) for text in SCORES.values()), "p"]
    under = f"n = {first.n}; prevalence of {high!r} {prevalence:.3f}."
    return f"{table(header, rows, stamps=stamps)}\n\n{under}"


def _probability_table(answers: Sequence[Answer], *, stamps: Sequence[str]) -> str:
    rows = [
        [answer.variant, *_cells(answer.chosen.per_window.scores, _PROBABILITY)]
        for answer in answers
    ]
    return table(["", *_PROBABILITY.values()], rows, stamps=stamps)


def _cells(scores: Mapping[str, Metric], names: Iterable[str]) -> list[str]:
    return [_with_interval(scores[name]) if name in scores else "not defined" for name in names]


def _epochs(study: Study, numbers: Numbers) -> Iterator[str]:
    yield "## Which epoch answered"
    checkpoints = [c for c in CHECKPOINTS if any(c in v.answers for v in study.variants)]
    note = "Balanced accuracy / accuracy / F1 of the last class, per trial. "
    if "best_test" in checkpoints:
        note += (
            f"**{CHECKPOINTS['best_test']}** is what some papers report: the test set chose it, so "
            "that it is no result; the difference from the first column is what choosing earns."
        )
    else:
        note += "A last epoch far from the one that validation chose speaks of overfitting."
    yield note
    header = ["", *(f"{t}: {CHECKPOINTS[c]}" for t in study.labels for c in checkpoints)]
    by_place = {(a.variant, a.target): a.by_checkpoint for a in numbers.answers}
    rows = [
        [
            variant.name,
            *(
                _triple(by_place.get((variant.name, target), {}).get(checkpoint))
                for target in study.labels
                for checkpoint in checkpoints
            ),
        ]
        for variant in study.variants
    ]
    yield table(header, rows, stamps=study.stamps)


def _changes(study: Study, changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        return
    yield "## What each change is worth"
    yield (
        f"Each variant minus {study.variants[0].name!r} in balanced accuracy per trial, the mean "
        "over the same subjects. p: signs tossed by subject, two-sided, each comparison by itself."
    )
    rows = [
        [
            change.variant,
            change.target,
            _with_interval(change.difference.value, sign="+"),
            _p(change.difference.p),
            str(len(change.difference.by_subject)),
        ]
        for change in changes
    ]
    header = ["variant", "target", "difference", "p", "subjects"]
    yield table(header, rows, stamps=study.stamps)


def _figures(study: Study, drawings: Sequence[Drawing]) -> Iterator[str]:
    yield "## Figures"
    warning = " ".join(f"**{stamp}.**" for stamp in study.stamps)
    for i, drawing in enumerate(drawings, start=1):
        yield f"![{drawing.title}](figures/{drawing.name}.png)"
        yield f"**Figure {i}. {drawing.title}.** {drawing.caption} {warning}".rstrip()


def _choices(variants: Sequence[Variant]) -> Iterator[str]:
    first = variants[0]
    if not any(variant.choices for variant in variants):
        return
    yield "## What the paper leaves open, and what was taken"
    yield f"**{first.name}**\n\n" + "\n".join(f"- {choice}" for choice in first.choices)
    for variant in variants[1:]:
        others = [choice for choice in variant.choices if choice not in first.choices]
        if others:
            yield f"**{variant.name}**, otherwise the same\n\n" + "\n".join(
                f"- {choice}" for choice in others
            )


def _provenance(study: Study) -> Iterator[str]:
    yield "## Where it comes from"
    rows = [[v.name, f"`{v.run_id}`", str(len(v.curves))] for v in study.variants]
    yield table(["variant", "run", "units"], rows, stamps=study.stamps)
    versions = ", ".join(f"{name} {version}" for name, version in study.versions.items())
    yield f"Split `{study.design.digest[:12]}`. Software: {versions}."


def _with_interval(metric: Metric, *, sign: str = "") -> str:
    if metric.ci_low is None or metric.ci_high is None:
        return f"{metric.value:{sign}.3f}"
    return f"{metric.value:{sign}.3f} [{metric.ci_low:{sign}.3f}, {metric.ci_high:{sign}.3f}]"


def _triple(evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return ""
    names = (HEADLINE, "accuracy", "f1_high")
    return " / ".join(f"{evaluation.per_trial.scores[name].value:.3f}" for name in names)


def _p(p: float) -> str:
    return f"{p:.4f}" if p < 0.01 else f"{p:.3f}"
