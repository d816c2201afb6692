"""Rudakov et al. 2021: multi-task CNN on brain maps, DEAP."""

from offline.reproduce.paper import RECIPES, Paper, PaperTable, Printed, Row, both


def _printed(valence: float, arousal: float) -> dict[str, Printed]:
    return {"valence": Printed(accuracy=valence), "arousal": Printed(accuracy=arousal)}


_OTHER = "The paper's numbers are of 4D-CRNN, reproduced there; ours of MT-CNN."
_FIGURE = "The paper shows a figure without numbers."

PAPER = Paper(
    name="mtcnn",
    reference=(
        'Rudakov et al., "Multi-Task CNN model for emotion recognition from EEG Brain maps", '
        "BioSMART 2021, doi:10.1109/BioSMART54244.2021.9677807"
    ),
    per="window",
    targets=("valence", "arousal"),
    paper_sweep=RECIPES / "mtcnn_paper.yaml",
    honest_sweep=RECIPES / "mtcnn_honest.yaml",
    differences=(
        "The paper's folds have no validation set; ours keep a tenth of the windows that are not "
        "tested for it, which the paper trains on.",
        "The paper's last step, training on from the best epoch subject by subject, is not done.",
        "Filters run on through the whole recording, as they do live; the published code starts "
        "them anew at every trial.",
    ),
    tables=(
        PaperTable(
            title="Comparison on DEAP",
            rows=(
                Row(method="Multi-column CNN", printed=_printed(90.01, 90.65)),
                Row(method="SAE-LSTM", printed=_printed(81.10, 74.38)),
                Row(method="4D-CRNN", printed=_printed(94.22, 94.58)),
                Row(method="FBCCNN", printed=_printed(90.26, 88.90)),
                Row(method="MT-CNN", printed=_printed(96.28, 96.62), variants=both("full")),
            ),
        ),
        PaperTable(
            title="Ablations",
            rows=(
                Row(method="PSD and DE, multi-task", variants=both("full"), note=_FIGURE),
                Row(method="PSD only", variants=both("PSD only"), note=_FIGURE),
                Row(method="DE only", variants=both("DE only"), note=_FIGURE),
                Row(
                    method="single task",
                    variants={
                        "valence": "single task, valence",
                        "arousal": "single task, arousal",
                    },
                    note=_FIGURE,
                ),
                Row(method="no dropout", variants=both("no dropout"), note=_FIGURE),
                Row(
                    method="no batch normalisation",
                    variants=both("no batch normalisation"),
                    note=_FIGURE,
                ),
                Row(
                    method="no learning rate decay",
                    variants=both("no learning rate decay"),
                    note=_FIGURE,
                ),
                Row(
                    method="baseline corrected",
                    variants=both("baseline corrected"),
                    note="Not in the paper: without the published code's theta in every baseline.",
                ),
            ),
        ),
        PaperTable(
            title="A specific subject against the whole data set",
            rows=(
                Row(
                    method="a model a subject, 64 models",
                    printed=_printed(93.93, 94.21),
                    variants={
                        "valence": "a model a subject, valence",
                        "arousal": "a model a subject, arousal",
                    },
                    note=f"{_OTHER} Ours, honest: other trials of the same person.",
                ),
                Row(
                    method="one model for all, 2 models",
                    printed=_printed(88.92, 90.15),
                    variants={
                        "valence": "single task, valence",
                        "arousal": "single task, arousal",
                    },
                    note=f"{_OTHER} Ours, honest: other people.",
                ),
            ),
        ),
    ),
)
