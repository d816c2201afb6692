"""Every score against scikit-learn, scipy, or its definition written out."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from answered import answered, priors
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from scipy.stats import pearsonr
from sklearn import metrics as theirs

from offline.metrics.answers import answers_of, by_trial
from offline.metrics.evaluation import Evaluation, evaluate
from offline.metrics.scores import class_scores
from offline.predictions import Predictions, concatenate


def value(result: Evaluation, name: str, *, level: str = "per_window") -> float:
    return getattr(result, level).scores[name].value


@given(
    truth=st.lists(st.integers(0, 2), min_size=1, max_size=30),
    seed=st.integers(0, 1000),
    n_classes=st.integers(2, 3),
)
@settings(max_examples=150, deadline=None)
def test_scores_are_those_of_scikit_learn_even_where_classes_lack(
    truth: list[int], seed: int, n_classes: int
) -> None:
    label = np.minimum(truth, n_classes - 1)
    said = np.random.default_rng(seed).integers(n_classes, size=len(label))
    confusion = np.zeros((n_classes, n_classes))
    np.add.at(confusion, (label, said), 1)
    got = class_scores(confusion)
    assert got["accuracy"] == pytest.approx(theirs.accuracy_score(label, said))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes that never occur
        balanced = theirs.balanced_accuracy_score(label, said)
    assert got["balanced_accuracy"] == pytest.approx(balanced)
    for name, score in (
        ("macro_precision", theirs.precision_score),
        ("macro_sensitivity", theirs.recall_score),
        ("macro_f1", theirs.f1_score),
    ):
        wanted = score(label, said, average="macro", zero_division=0)
        assert got[name] == pytest.approx(wanted), name
    high = [n_classes - 1]
    wanted = theirs.f1_score(label, said, labels=high, average="macro", zero_division=0)
    assert got["f1_high"] == pytest.approx(wanted)


def test_scores_of_many_matrices_are_those_of_each() -> None:
    many = np.random.default_rng(0).integers(0, 9, size=(5, 4, 3, 3)).astype(float)
    whole = class_scores(many)
    for name, values in whole.items():
        assert values.shape == (5, 4)
        assert values[2, 3] == pytest.approx(class_scores(many[2, 3])[name])


def test_pooled_numbers_are_counted_over_all_windows() -> None:
    said = answered(sharpness=0.7)
    prior = (0.3, 0.7)
    got = evaluate(said, train_prior=priors(said, prior), seed=0)
    answers = said.log_p.argmax(axis=1)
    assert value(got, "accuracy") == pytest.approx(theirs.accuracy_score(said.label, answers))
    assert value(got, "prevalence") == pytest.approx(said.label.mean())
    assert value(got, "nll") == pytest.approx(theirs.log_loss(said.label, np.exp(said.log_p)))
    assert value(got, "prior_nll") == pytest.approx(
        theirs.log_loss(said.label, np.tile(prior, (len(said), 1)))
    )
    table = theirs.confusion_matrix(said.label, answers)
    np.testing.assert_array_equal(got.per_window.confusion, table)


def test_correlation_is_within_subjects_and_their_mean() -> None:
    said = answered(sharpness=1.0, windows=1)
    # A shift of a subject's values must not matter.
    shifted = replace(said, value=said.value + 100 * (said.subject == "s01"))
    wanted = [
        pearsonr(np.exp(said.log_p[said.subject == name, 1]), said.value[said.subject == name])[0]
        for name in np.unique(said.subject)
    ]
    for one in (said, shifted):
        got = evaluate(one, train_prior=priors(one), seed=0)
        assert value(got, "correlation") == pytest.approx(np.mean(wanted))


def test_expected_calibration_error_is_its_definition() -> None:
    said = answered(subjects=20, trials=20, sharpness=1.0)
    confidence, hit = np.exp(said.log_p.max(axis=1)), said.log_p.argmax(axis=1) == said.label
    wanted = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            wanted += inside.mean() * abs(hit[inside].mean() - confidence[inside].mean())
    got = evaluate(said, train_prior=priors(said), seed=0)
    assert value(got, "ece") == pytest.approx(wanted)
    bins = got.per_window.reliability
    assert sum(one.n for one in bins) == len(said)
    assert sum(one.n * one.accuracy for one in bins) == pytest.approx(hit.sum())


def test_a_trial_answers_by_the_mean_of_its_windows_log_probabilities() -> None:
    said = answered(subjects=2, trials=3, windows=4)
    got = by_trial(answers_of([said], priors(said)))
    for i, (subject, trial) in enumerate(
        (s, t) for s in ("s00", "s01") for t in ("t0", "t1", "t2")
    ):
        rows = (said.subject == subject) & (said.trial == trial)
        wanted = log_softmax(said.log_p[rows].mean(axis=0))
        np.testing.assert_allclose(got.log_p[0, i], wanted)
        assert got.label[i] == said.label[rows][0]
        assert got.value[i] == pytest.approx(said.value[rows].mean())


def test_a_trial_whose_windows_differ_is_what_most_of_them_are() -> None:
    said = answered(subjects=1, trials=2, windows=4)
    said = replace(said, label=np.array([0, 1, 1, 1, 0, 0, 1, 1]))
    assert by_trial(answers_of([said], priors(said))).label.tolist() == [1, 0]


def test_the_order_of_rows_does_not_matter() -> None:
    said = answered(sharpness=0.5)
    mixed = said.rows(np.random.default_rng(1).permutation(len(said)))
    one = evaluate(said, train_prior=priors(said), seed=3)
    other = evaluate(mixed, train_prior=priors(said), seed=3)
    assert one.model_dump() == other.model_dump()


def test_those_who_know_nothing_are_beside_every_number() -> None:
    said = answered(subjects=6, trials=9, windows=1)
    got = evaluate(said, train_prior=priors(said, (0.6, 0.4)), seed=0).per_trial.trivial
    high = np.ones(len(said), dtype=int)
    assert got["always_high"]["accuracy"].value == pytest.approx(said.label.mean())
    assert got["always_high"]["f1_high"].value == pytest.approx(theirs.f1_score(said.label, high))
    assert got["majority"]["accuracy"].value == pytest.approx(1 - said.label.mean())
    assert got["majority"]["balanced_accuracy"].value == 0.5
    label = said.label.reshape(6, 9)
    before = np.concatenate([np.zeros((6, 1), dtype=int), label[:, :-1]], axis=1)
    wanted = theirs.f1_score(label.ravel(), before.ravel(), average="macro")
    assert got["last_label"]["accuracy"].value == pytest.approx((label == before).mean())
    assert got["last_label"]["macro_f1"].value == pytest.approx(wanted)


def test_the_last_label_is_of_the_trial_before_in_time_whatever_its_name_and_fold() -> None:
    said = answered(subjects=1, trials=4, windows=2)
    said = replace(
        said,
        # In time: d (1), a (0), c (1), and b (0) in a session of its own.
        trial=np.array(["d", "d", "a", "a", "c", "c", "b", "b"]),
        session=np.array(["x"] * 6 + ["y"] * 2),
        window=np.array([0, 1, 5, 6, 8, 9, 0, 1]),
        fold=np.array(["2", "2", "1", "1", "2", "2", "1", "1"]),
        label=np.array([1, 1, 0, 0, 1, 1, 0, 0]),
    )
    answers = by_trial(answers_of([said], {"1": (0.9, 0.1), "2": (0.1, 0.9)}))
    # In order of session and name: a (after d), c (after a), d (first: majority of fold 2), b.
    assert answers.label.tolist() == [0, 1, 1, 0]
    assert answers.previous.tolist() == [1, 0, 1, 0]


def test_a_class_that_never_occurs_is_no_mystery() -> None:
    said = answered()
    low = replace(said, label=np.zeros(len(said), dtype=int))
    got = evaluate(low, train_prior=priors(low), seed=0)
    assert value(got, "balanced_accuracy") == value(got, "accuracy")
    assert value(got, "prevalence") == 0
    assert value(got, "f1_high") == 0
    assert got.per_trial.p["accuracy"] == 1


def test_one_trial_of_one_subject_has_numbers_and_says_which_it_lacks() -> None:
    said = answered(subjects=1, trials=1, windows=1)
    got = evaluate(said, train_prior=priors(said), seed=0).per_trial
    assert got.n == 1
    assert got.scores["accuracy"].value in (0, 1)
    assert got.scores["accuracy"].ci_low is None
    assert "three rows" in got.undefined["correlation"]
    assert "correlation" not in got.scores
    assert got.p["accuracy"] == 1
    assert [row.subject for row in got.subjects] == ["s00"]


def test_answers_that_never_change_correlate_with_nothing() -> None:
    said = answered()
    flat = replace(said, log_p=np.log(np.full((len(said), 2), 0.5)))
    got = evaluate(flat, train_prior=priors(flat), seed=0)
    assert value(got, "correlation") == 0


def test_a_subject_whose_truth_never_changes_is_not_in_the_mean_correlation() -> None:
    said = answered(sharpness=1.0)
    flat = replace(said, value=np.where(said.subject == "s00", 1.0, said.value))
    rest = said.rows(said.subject != "s00")
    got = evaluate(flat, train_prior=priors(said), seed=0)
    wanted = evaluate(rest, train_prior=priors(said), seed=0)
    assert value(got, "correlation") == pytest.approx(value(wanted, "correlation"))
    assert "correlation" not in got.per_window.subjects[0].scores
    assert "correlation" in got.per_window.subjects[1].scores


def test_categories_have_no_correlation() -> None:
    said = answered(classes=3, sharpness=1.0)
    said = replace(said, value=said.label.astype(float))
    got = evaluate(said, train_prior=priors(said, (0.3, 0.3, 0.4)), seed=0)
    assert got.per_trial.undefined == {"correlation": "the classes have no order"}


def test_several_seeds_give_their_mean() -> None:
    one = answered(sharpness=1.0)
    other = replace(one, log_p=one.log_p[:, ::-1].copy())
    got = evaluate([one, other], train_prior=priors(one), seed=0)
    alone = [evaluate(said, train_prior=priors(one), seed=0) for said in (one, other)]
    assert got.n_seeds == 2
    for name in ("accuracy", "macro_f1", "nll", "ece", "correlation"):
        wanted = np.mean([value(single, name) for single in alone])
        assert value(got, name) == pytest.approx(wanted)
    assert value(got, "accuracy") == pytest.approx(0.5)


def test_subjects_have_rows_of_their_own() -> None:
    said = answered(sharpness=1.0)
    got = evaluate(said, train_prior=priors(said), seed=0).per_window
    for row in got.subjects:
        own = said.rows(said.subject == row.subject)
        alone = evaluate(own, train_prior=priors(own), seed=0).per_window
        assert row.n == len(own)
        assert row.scores == pytest.approx({k: m.value for k, m in alone.scores.items()})
        assert row.trivial == pytest.approx(
            {name: table["accuracy"].value for name, table in alone.trivial.items()}
        )


def test_an_evaluation_survives_json() -> None:
    said = answered()
    got = evaluate(said, train_prior=priors(said), seed=0)
    assert Evaluation.model_validate_json(got.model_dump_json()) == got


def test_folds_bring_their_own_priors() -> None:
    said = answered(subjects=2, windows=1)
    prior = {"s00": (0.2, 0.8), "s01": (0.9, 0.1)}
    got = evaluate(said, train_prior=prior, seed=0).per_trial
    shares = np.array([prior[name] for name in said.fold])
    wanted = theirs.log_loss(said.label, shares)
    assert got.scores["prior_nll"].value == pytest.approx(wanted)
    hits = (shares.argmax(axis=1) == said.label).mean()
    assert got.trivial["majority"]["accuracy"].value == pytest.approx(hits)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"log_p": np.full((72, 2), np.nan)}, "log_p must be finite"),
        ({"label": np.full(72, 2)}, "classes from 0 to 1"),
        ({"value": np.full(72, np.nan)}, "values finite"),
        ({"fold": np.full(72, "another")}, "for fold another"),
    ],
)
def test_what_cannot_be_measured_is_refused(change: dict[str, np.ndarray], words: str) -> None:
    said = answered()
    with pytest.raises(ValueError, match=words):
        evaluate(replace(said, **change), train_prior=priors(said), seed=0)


def test_a_prior_that_rules_a_class_out_is_refused() -> None:
    said = answered()
    with pytest.raises(ValueError, match="above 0"):
        evaluate(said, train_prior=priors(said, (1.0, 0.0)), seed=0)


def test_seeds_that_answered_other_windows_are_refused() -> None:
    said = answered()
    with pytest.raises(ValueError, match="the same windows"):
        evaluate([said, said.rows(np.arange(10))], train_prior=priors(said), seed=0)
    with pytest.raises(ValueError, match="at least one answer"):
        evaluate(said.rows(np.arange(0)), train_prior=priors(said), seed=0)
    other = replace(said, label=1 - said.label)
    with pytest.raises(ValueError, match="the same truth"):
        evaluate([said, other], train_prior=priors(said), seed=0)


def test_folds_of_one_trial_count_as_trials() -> None:
    said = answered(windows=1)
    again: Predictions = replace(said, fold=np.full(len(said), "draw-2"))
    both = concatenate([said, again])
    got = evaluate(both, train_prior={**priors(said), "draw-2": (0.5, 0.5)}, seed=0)
    assert got.per_trial.n == 2 * len(said)
