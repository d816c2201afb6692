"""Zheng et al. 2023: prior-driven dynamic functional connectivity networks, DEAP."""

from offline.reproduce.paper import RECIPES, Paper, PaperTable, Printed, Row, both


def _printed(row: str) -> dict[str, Printed]:
    """Return a row as the paper prints it: mean/std of accuracy and F1, valence, then arousal."""
    means, stds = zip(*(map(float, cell.split("/")) for cell in row.split()), strict=True)
    return {
        target: Printed(
            accuracy=means[i], accuracy_std=stds[i], f1=means[i + 1], f1_std=stds[i + 1]
        )
        for i, target in ((0, "valence"), (2, "arousal"))
    }


_OURS = _printed("67.36/05.58 69.17/09.01 68.47/08.45 74.68/13.36")

PAPER = Paper(
    name="prior-dfcn",
    reference=(
        'Zheng et al., "Prior-Driven Dynamic Brain Networks for Multi-modal Emotion Recognition", '
        "MICCAI 2023, doi:10.1007/978-3-031-43993-3_38"
    ),
    per="trial",
    targets=("valence", "arousal"),
    paper_sweep=RECIPES / "prior_dfcn_paper.yaml",
    honest_sweep=RECIPES / "prior_dfcn_honest.yaml",
    differences=(
        "The paper does not say which epoch it reports. Its protocol is taken to be that of the "
        "same group's published CAFNet: the best epoch on the tested subject.",
        "The paper has no validation subjects; ours keep some, which the paper trains on.",
        "The CAFNet code fits its scaler on all subjects; here scales are the training set's under "
        "both protocols.",
    ),
    tables=(
        PaperTable(
            title="Table 1: comparison on DEAP",
            rows=(
                Row(
                    method="SVM",
                    printed=_printed("58.88/11.47 67.81/13.28 58.05/15.26 66.71/20.54"),
                    variants=both("SVM"),
                ),
                Row(
                    method="GSN",
                    printed=_printed("63.77/07.25 66.19/12.20 63.51/11.36 68.03/15.40"),
                ),
                Row(
                    method="DGCNN",
                    printed=_printed("63.28/08.15 65.17/10.22 62.61/12.93 69.22/15.17"),
                    variants=both("DGCNN"),
                ),
                Row(
                    method="MKL",
                    printed=_printed("59.02/12.94 67.37/16.97 58.96/13.89 64.78/18.69"),
                ),
                Row(
                    method="DCCA",
                    printed=_printed("61.04/11.73 65.46/12.29 59.58/11.89 65.78/16.98"),
                ),
                Row(
                    method="MMResLSTM",
                    printed=_printed("64.67/10.57 68.36/11.50 63.25/12.38 67.32/15.92"),
                ),
                Row(
                    method="ETF",
                    printed=_printed("64.63/09.35 66.35/13.41 65.64/10.29 66.63/16.97"),
                ),
                Row(method="Prior-driven DFCN", printed=_OURS, variants=both("full")),
            ),
        ),
        PaperTable(
            title="Table 2: ablations",
            rows=(
                Row(
                    method="Baseline",
                    printed=_printed("61.11/11.35 64.81/13.40 60.91/12.45 65.10/18.99"),
                    variants=both("baseline"),
                    note="Taken to be without prior and without STFENet.",
                ),
                Row(
                    method="w/o PKE",
                    printed=_printed("64.15/09.73 67.19/12.48 65.58/10.18 68.12/16.10"),
                    variants=both("w/o PKE"),
                ),
                Row(
                    method="w/o NL block",
                    printed=_printed("66.12/08.60 66.92/10.36 66.24/09.28 72.31/14.63"),
                    variants=both("w/o NL block"),
                ),
                Row(
                    method="w/o STFENet",
                    printed=_printed("65.51/08.19 67.18/11.29 67.10/10.15 70.83/15.84"),
                    variants=both("w/o STFENet"),
                ),
                Row(method="Prior-driven DFCN", printed=_OURS, variants=both("full")),
                Row(
                    method="log power",
                    variants=both("log power"),
                    note="Not in the paper: logarithms of the band powers, standardised.",
                ),
            ),
        ),
    ),
)
