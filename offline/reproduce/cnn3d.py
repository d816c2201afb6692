"""The brain-agnostic 3D-CNN on volumes, and simulated volumes as a stand-in for its data."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from offline.items import NO_CLASS
from offline.report.words import table
from offline.reproduce.embeddings import clusters_of_people
from offline.reproduce.page import LEAKY
from offline.reproduce.paper import ACCURACY, RECIPES, Paper, PaperTable, Printed, Reproduced, Row

_FIGURE = (
    "The paper draws accuracies on people who were not met, emotion by emotion, without numbers; "
    "its figure shows about 0 to 40 %, the most for fear and the least for love."
)


def _rows(target: str, *others: Row) -> tuple[Row, ...]:
    return (
        Row(
            method="cross-subject, one model for all",
            printed={target: Printed(accuracy=82.0)},
            variants={target: "full"},
            note="Ours, honest: people and runs that were not met.",
        ),
        *others,
    )


def _by_class(found: Reproduced) -> Iterator[str]:
    """Yield the recall of each class, and the confusions, of the first variant."""
    yield "## Class by class"
    yield _FIGURE
    for words, studies in (
        ("ours, their protocol (LEAKY)", found.by_paper),
        ("ours, honest", found.honest),
    ):
        stamps = [LEAKY] if studies is found.by_paper else []
        for study in studies:
            variant = study.variants[0]
            for target, seeds in variant.answers["validation"].items():
                said = seeds[0].rows(seeds[0].label != NO_CLASS)
                names = said.classes
                counts = np.zeros((len(names), len(names)))
                np.add.at(counts, (said.label, said.log_p.argmax(axis=1)), 1.0)
                shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
                yield f"### {target.capitalize()}, {words}: {variant.name}"
                body = [
                    [name, str(int(counts[i].sum())), f"{shares[i, i]:.1f}"]
                    + [f"{share:.1f}" for share in shares[i]]
                    for i, name in enumerate(names)
                ]
                header = ["true class", "windows", "accuracy", *(f"said {n}" for n in names)]
                yield table(header, body, stamps=stamps)
    yield "Percent of the windows of a class. Who knows nothing has 100 over the number of classes."


PAPER = Paper(
    name="cnn3d",
    reference=(
        '"Brain-agnostic machine learning algorithms learn representations of naturalistic '
        'emotion" (CUCAI 2025; NeurIPS 2025 workshop, https://openreview.net/forum?id=axphVwbQYx)'
    ),
    per="window",
    targets=("emotion",),
    paper_sweep=RECIPES / "cnn3d_paper.yaml",
    honest_sweep=RECIPES / "cnn3d_honest.yaml",
    data="a copy of StudyForrest's 7 T volumes",
    measures=(ACCURACY,),
    differences=(
        "The published code adds up the runs' lengths, though runs overlap by 16 s, so that its "
        "labels drift by up to 112 s; ours begin where the runs do.",
        "Volumes are brought to 33 x 44 x 24 voxels of their own field of view; the paper's have "
        "132 x 175 x 48.",
        "The dense layer sees the mean of each map (8 thousand weights), not every place of it "
        "(139 million); `every place` has the latter.",
    ),
    tables=(
        PaperTable(
            title="Accuracy",
            rows=_rows(
                "emotion",
                Row(
                    method="single subject",
                    printed={"emotion": Printed(accuracy=83.3)},
                    variants={"emotion": "single subject"},
                    note="Ours, honest: other runs of the same person.",
                ),
                Row(
                    method="every place",
                    variants={"emotion": "every place"},
                    note="The paper's dense layer, on our grid.",
                ),
                Row(
                    method="lag of 6 s",
                    variants={"emotion": "lag of 6 s"},
                    note="Not in the paper: volumes follow what was heard by 6 s.",
                ),
            ),
        ),
    ),
    more=(_by_class, clusters_of_people),
)

STAND_IN = replace(
    PAPER,
    name="cnn3d-simulated",
    reference=(
        f"{PAPER.reference}. STAND-IN: ours are of simulated participants, their volumes painted "
        "from regions that follow a known valence. Nobody was measured, and the paper's numbers "
        "stand beside them for scale alone."
    ),
    targets=("valence",),
    paper_sweep=RECIPES / "cnn3d_simulated_paper.yaml",
    honest_sweep=RECIPES / "cnn3d_simulated_honest.yaml",
    data="",
    differences=("Other people (none), another question (valence), another grid.",),
    tables=(
        PaperTable(
            title="Accuracy",
            rows=_rows(
                "valence",
                Row(
                    method="every place",
                    variants={"valence": "every place"},
                    note="The paper's dense layer, on our grid.",
                ),
            ),
        ),
    ),
)
