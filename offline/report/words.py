"""A study's design in words for people who were not there."""

from collections.abc import Sequence

from offline.report.study import Design, Study

_KEPT_APART = {
    "subject": "Nobody who is tested was trained on: the answers are about new people.",
    "session": "No session that is tested was trained on.",
    "trial": "All windows of a trial have one role.",
    "stimulus": "No stimulus that is tested was shown in training.",
}
_SHARED = {
    "subject": "The tested people's other trials were trained on: this says nothing of new people.",
    "stimulus": "The tested stimuli were also shown in training, so that recognising a stimulus "
    "helps.",
}


def describe(design: Design) -> list[str]:
    """Return what a protocol keeps apart, and what not, a sentence each.

    Parameters
    ----------
    design : Design
        Of the study.
    """
    settings = ", ".join(f"{k} {v}" for k, v in design.settings.items() if k != "kind")
    said = [
        f"Protocol `{design.protocol}`"
        + (f" ({settings})" if settings else "")
        + f": {design.n_folds} folds, sharing out {design.level}s."
    ]
    said += [text for group, text in _KEPT_APART.items() if group in design.disjoint]
    said += [text for group, text in _SHARED.items() if group not in design.disjoint]
    if design.level == "window":
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
        said.append("Validation chose the epoch and the temperature; the test set chose nothing.")
    return said


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
