import dataclasses

import numpy as np
from synthetic_study import make_study

from offline.predictions import Predictions
from offline.report.differences import differences_in_words
from offline.report.study import Study
from offline.report.tables import changes_in_tables


def _course(said: Predictions, *, share: float, seed: int) -> Predictions:
    """Answers to labels that change within every trial, the same for everybody."""
    label = ((said.window + (said.trial > "t10")) % 2).astype(np.int64)
    is_right = np.random.default_rng(seed).random(len(label)) < share
    answer = np.where(is_right, label, 1 - label)
    return dataclasses.replace(
        said,
        label=label,
        value=np.where(label == 1, 7.0, 3.0),
        log_p=np.log(0.8 * np.eye(2)[answer] + 0.1),
    )


def _study() -> Study:
    study = make_study()
    variants = []
    for number, variant in enumerate(study.variants):
        share = 0.9 if number == 0 else 0.6
        answers = {
            "validation": {
                target: tuple(_course(said, share=share, seed=number) for said in seeds)
                for target, seeds in variant.answers["validation"].items()
            }
        }
        variants.append(dataclasses.replace(variant, answers=answers))
    return dataclasses.replace(study, variants=tuple(variants))


def test_each_variant_is_compared_with_the_first_over_subjects_and_episodes() -> None:
    study = _study()
    lines = list(differences_in_words(study, "valence"))
    assert len(lines) == len(study.variants) - 1
    for line, variant in zip(lines, study.variants[1:], strict=True):
        assert line.startswith(f"{study.variants[0].name} less {variant.name}: 0.")
        assert "(better in 8 of 8" in line
        assert line.endswith(" episodes.")


def test_where_trials_have_one_label_trials_are_counted_and_nothing_is_said() -> None:
    assert not list(differences_in_words(make_study(), "valence"))


def test_a_variant_of_other_windows_is_left_out() -> None:
    study = _study()
    first, other, *rest = study.variants
    answers = {
        "validation": {
            target: tuple(said.rows(said.window < 4) for said in seeds)
            for target, seeds in other.answers["validation"].items()
        }
    }
    cut = (first, dataclasses.replace(other, answers=answers), *rest)
    lines = list(differences_in_words(dataclasses.replace(study, variants=cut), "valence"))
    assert len(lines) == len(rest)


def test_the_report_says_so_under_its_table() -> None:
    from offline.report.numbers import count

    study = _study()
    text = "\n".join(changes_in_tables(study, count(study).changes))
    assert "Over episodes of the stimuli as well:" in text
    assert text.count("- Valence: ") == len(study.variants) - 1
