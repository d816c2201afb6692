"""Results on a terminal are read by people who know neither the columns nor the classes."""

from dataclasses import replace
from io import StringIO

import numpy as np
from rich.console import Console
from synthetic_study import TARGETS, make_predictions, make_study

from offline.cli.results import print_studies
from offline.datasets.contract import Label
from offline.report.study import Study


def printed(study: Study, *, width: int = 160) -> str:
    out = StringIO()
    print_studies([study], Console(file=out, width=width), levels=("trial", "window"))
    return out.getvalue()


def with_answers(study: Study, *, n_subjects: int, n_trials: int = 20) -> Study:
    said = make_predictions(0.7, seed=0, n_subjects=n_subjects, n_trials=n_trials, n_windows=1)
    said = replace(said, classes=("calm", "tense"))
    answers = {"validation": dict.fromkeys(TARGETS, (said,))}
    return replace(study, variants=(replace(study.variants[0], answers=answers),))


def test_classes_have_their_names_and_columns_a_legend() -> None:
    told = printed(with_answers(make_study(), n_subjects=8))
    assert "F1 of 'tense'" in told
    assert "always 'tense'" in told
    assert "high" not in told
    assert "are 'tense'" in told
    assert told.count("95 % interval over subjects. p: as good with shuffled labels") == 1


def test_few_subjects_are_warned_of_once() -> None:
    assert "Do not believe" not in printed(with_answers(make_study(), n_subjects=5))
    assert printed(with_answers(make_study(), n_subjects=3)).count("Do not believe") == 1


def test_one_is_not_plural() -> None:
    told = printed(with_answers(make_study(), n_subjects=1, n_trials=1))
    assert "valence, per trial: 1 subject, 1 trial; " in told
    assert "valence, per window: 1 subject, 1 window; " in told
    study = make_study(rates={"full": 0.7})
    one = replace(study, variants=(replace(study.variants[0], n_missing=1),))
    assert "NOT FINISHED: 1 unit is missing." in printed(one)


def test_a_row_of_fewer_subjects_says_so() -> None:
    study = make_study(rates={"full": 0.7, "stopped": 0.7})
    few = with_answers(study, n_subjects=6).variants[0]
    few = replace(
        few,
        name="stopped",
        answers={
            "validation": {
                t: (replace(s[0], classes=("low", "high")),)
                for t, s in few.answers["validation"].items()
            }
        },
    )
    assert "stopped (6 subjects)" in printed(replace(study, variants=(study.variants[0], few)))


def test_a_narrow_terminal_cuts_no_number() -> None:
    study = make_study(rates={"a variant with a long name": 0.7})
    assert "…" not in printed(study, width=80)


def of_three_classes(study: Study) -> Study:
    """Every trial's windows shared out over three classes, the last of them the rarest."""
    variants = []
    for variant in study.variants:
        said = variant.answers["validation"]["valence"][0]
        label = np.arange(len(said.label)) // 5 % 6 // 2.5
        label = label.astype(np.int64)
        said = replace(
            said,
            classes=("fear", "sadness", "happiness"),
            label=label,
            value=label.astype(np.float64),
            log_p=np.log(0.4 * np.eye(3)[label] + 0.2),
        )
        answers = {"validation": {"valence": (said,)}}
        # Each fold's training has another most frequent class.
        priors = {
            fold: np.roll([0.5, 0.3, 0.2], number).tolist()
            for number, fold in enumerate(np.unique(said.fold))
        }
        variants.append(replace(variant, answers=answers, train_priors={"valence": priors}))
    labels = {"valence": Label(classes=("fear", "sadness", "happiness"))}
    return replace(study, variants=tuple(variants), labels=labels)


def test_of_three_classes_none_has_an_f1_of_its_own() -> None:
    told = printed(of_three_classes(make_study(rates={"full": 0.7})))
    assert "F1 of" not in told
    assert "macro F1" in told
    assert "always 'happiness'" in told


def test_no_word_of_a_name_is_broken_in_a_narrow_terminal() -> None:
    study = make_study(rates={"as published": 0.7, "linear reference": 0.6})
    for width in (80, 100):
        told = printed(study, width=width)
        for word in ("published", "reference", "training", "balanced", "accuracy"):
            assert word in told
        assert "…" not in told


def test_who_knows_nothing_is_marked_where_italics_are_not_written() -> None:
    piped = printed(make_study())
    assert "* always 'high'" in piped
    assert "*: knows nothing of the signals" in " ".join(piped.split())
    assert "Italic" not in piped
    out = StringIO()
    console = Console(file=out, width=160, force_terminal=True, color_system="standard")
    print_studies([make_study()], console)
    assert "Italic: knows nothing" in out.getvalue()
    assert "* always" not in out.getvalue()
