"""A study's design, and the names of its numbers, in words for people who were not there."""

from collections.abc import Iterable, Mapping, Sequence

from offline.card import FEW_PEOPLE
from offline.metrics.evaluation import Evaluation
from offline.plurals import counted, ranged
from offline.report.study import EPOCH_AND_TEMPERATURE, Design, Study

SCORES: Mapping[str, str] = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "f1_high": "F1 of {high!r}",
    "macro_f1": "macro F1",
    "macro_precision": "macro precision",
    "macro_sensitivity": "macro sensitivity",
}
"""What scores are called, where ``high`` is the name of the last class."""

_OF_TWO_CLASSES = ("f1_high",)
"""Of one class alone: of several, a constant answer may be ranked above a model by it."""

TRIVIAL: Mapping[str, str] = {
    "always_high": "always {high!r}",
    "majority": "the most frequent class in training",
    "last_label": "the label of the trial before",
}
"""What those are called who know nothing of the signals."""

_HAIR = 0.005
"""Below chance by less than is shown."""

_PROTOCOLS = {
    "loso": "each subject is tested once, by a model that was trained on others",
    "stimuli": "neither the tested subjects nor the tested stimuli were met in training",
    "portions": "subjects are drawn into those who train, those who validate, those who are tested",
    "trials": "whole trials are left out of training, of people whose other trials are in it",
    "windows": "shuffled windows, wherever they come from",
    "fixed_subjects": "listed subjects",
    "fixed_trials": "listed trials",
    "table": "as a table of its own says",
}
_KEPT_APART = {
    "subject": "Nobody who is tested was trained on: the answers are about new people.",
    "session": "No session that is tested was trained on.",
    "trial": "All windows of a trial have one role.",
    "stimulus": "No stimulus that is tested was shown in training.",
}
_PEOPLE = {
    "known": "The tested people were also trained on: this says nothing of new people.",
    "partly": "Some of the tested people were also trained or validated on: the numbers are not "
    "about new people alone.",
    "new": _KEPT_APART["subject"],
}
_STIMULI = {
    "named": "Stimuli are not kept apart: a tested one may also have been shown in training, and "
    "recognising a stimulus helps.",
    "partly": "Stimuli are not kept apart, and some trials name none: a tested one may also have "
    "been shown in training, and recognising a stimulus helps.",
    "nameless": "The trials name no stimulus, as where each is shown but once: stimuli could not "
    "be kept apart, and if any was shown again, recognising it helped.",
}
_IN_A_FOLD = {
    "train": "trains on",
    "validation": "chooses {chosen} on",
    "test": "tests",
}


def describe(design: Design, *, chosen: Sequence[str] = EPOCH_AND_TEMPERATURE) -> list[str]:
    """Return what a protocol keeps apart, and what not, a sentence each.

    Parameters
    ----------
    design : Design
        Of the study.
    chosen : sequence of str
        What validation chose: `Study.chosen`.
    """
    settings = ", ".join(f"{k} {v}" for k, v in design.settings.items() if k != "kind")
    meaning = _PROTOCOLS.get(design.protocol)
    said = [
        f"Protocol `{design.protocol}`"
        + (f" ({settings})" if settings else "")
        + (f", {meaning}" if meaning else "")
        + f": {counted(design.n_folds, 'fold')}, sharing out {design.level}s."
    ]
    said += [text for group, text in _KEPT_APART.items() if group in design.disjoint]
    if "subject" not in design.disjoint:
        said.append(_PEOPLE[design.people])
    if "stimulus" not in design.disjoint:
        said.append(_STIMULI[design.stimuli])
    if design.level == "window" and "trial" not in design.disjoint:
        said.append(
            "Windows of one trial are in several roles. They share the trial's label and what "
            "nothing but time explains, so that remembering the trial looks like knowing the "
            "feeling: numbers like these reach 100 % on noise."
        )
    if design.test_chooses:
        said.append(
            "Beside the epoch that validation chose, the one that was best on the TEST set is "
            "given, as some papers do: on noise alone choosing so has been measured to add ten "
            "points."
        )
    else:
        said.append(f"Validation chose the {' and the '.join(chosen)}; the test set chose nothing.")
    return said


def people_in_words(
    n_people: Mapping[str, tuple[int, int]], *, chosen: Sequence[str] = EPOCH_AND_TEMPERATURE
) -> str:
    """Return how many subjects have which role in a fold; "" where that is not known.

    Parameters
    ----------
    n_people : mapping of str to (int, int)
        By role, the fewest and the most.
    chosen : sequence of str
        What validation chose: `Study.chosen`.
    """
    said = [
        f"{does.format(chosen=' and '.join(chosen))} {ranged(*n_people[role], 'subject')}"
        for role, does in _IN_A_FOLD.items()
        if role in n_people
    ]
    return f"A fold {', '.join(said)}." if said else ""


def labels_in_words(study: Study) -> list[str]:
    """Return what each target's classes are, a sentence each."""
    said = []
    for target, label in study.labels.items():
        if label.edges:
            classes = ", ".join(
                f"{name} {'(' if number else '['}{low:g}, {high:g}]"
                for number, (name, low, high) in enumerate(
                    zip(label.classes, label.edges[:-1], label.edges[1:], strict=True)
                )
            )
        else:
            classes = ", ".join(label.classes)
        said.append(f"**{target}**: {classes}")
    return said


def scores_in_words(classes: Sequence[str]) -> dict[str, str]:
    """Return the scores that a target's tables show, and what they are called.

    Parameters
    ----------
    classes : sequence of str
        The target's; of more than two none has a column of its own.
    """
    return {
        name: words.format(high=classes[-1])
        for name, words in SCORES.items()
        if len(classes) == 2 or name not in _OF_TWO_CLASSES
    }


def below_chance_in_words(evaluations: Iterable[Evaluation]) -> str:
    """Return why the answer of the most frequent class is below chance; "" where it is not.

    Parameters
    ----------
    evaluations : iterable of Evaluation
        Of one target.
    """
    for done in evaluations:
        majority = done.reported.trivial.get("majority", {}).get("balanced_accuracy")
        if majority is not None and majority.value < 1 / len(done.classes) - _HAIR:
            return (
                f"Below chance is no mistake: {TRIVIAL['majority']} is not the same in every fold. "
                "A fold tests what its training lacks, so that the class that is frequent in the "
                "one tends to be rare in the other."
            )
    return ""


def missing_in_words(n_missing: int) -> str:
    """Return that units are missing."""
    return f"{counted(n_missing, 'unit')} {'is' if n_missing == 1 else 'are'} missing"


def few_in_words(n_subjects: Iterable[int]) -> str:
    """Return what to think of intervals over so few subjects; "" where they are enough.

    Parameters
    ----------
    n_subjects : iterable of int
        Behind each interval.
    """
    fewest = min(n_subjects)
    if fewest >= FEW_PEOPLE:
        return ""
    if fewest == 1:
        return "Of one subject there is no interval: the numbers say nothing of other people."
    return (
        f"Do not believe intervals over {fewest} subjects: a bootstrap over fewer than "
        f"{FEW_PEOPLE} is far too narrow."
    )


def counts_in_words(*, n_rows: int, n_trials: int) -> str:
    """Return how many trials were counted, and that some were counted several times.

    Parameters
    ----------
    n_rows : int
        Trials, a trial once for each fold that tested it.
    n_trials : int
        Different ones.
    """
    if n_rows == n_trials:
        return counted(n_trials, "trial")
    return f"{counted(n_trials, 'trial')}, each once per fold that tested it: {n_rows} in all"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, stamps: Sequence[str]) -> str:
    """Return a Markdown table under its stamps.

    Parameters
    ----------
    header : sequence of str
        Names of the columns; the first is left-aligned, the others right.
    rows : sequence of sequence of str
        Cells.
    stamps : sequence of str
        Warnings; each gets a line above the table.
    """
    lines = [f"> **{stamp}**" for stamp in stamps]
    lines += [""] if stamps else []
    lines += [_row(header), _row([":---", *["---:"] * (len(header) - 1)])]
    lines += [_row(row) for row in rows]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
