"""Intervals and p against closed forms and scipy."""

from dataclasses import replace

import numpy as np
import pytest
from answered import answered, priors
from scipy.stats import bootstrap, t, wilcoxon

from offline.metrics.answers import answers_of, by_trial
from offline.metrics.evaluation import evaluate
from offline.metrics.intervals import (
    N_PERMUTATIONS,
    bootstrap_weights,
    interval,
    paired_difference,
    permutation_p,
)


def test_the_interval_of_a_mean_is_that_of_scipy() -> None:
    values = np.random.default_rng(0).normal(size=18)
    got = interval(values.mean(), bootstrap_weights(18, seed=1) @ values / 18)
    wanted = bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(2)
    ).confidence_interval
    spread = values.std() / np.sqrt(18)
    assert got.ci_low == pytest.approx(wanted.low, abs=0.15 * spread)
    assert got.ci_high == pytest.approx(wanted.high, abs=0.15 * spread)


def test_the_interval_covers_the_mean_of_normal_values_as_often_as_it_should() -> None:
    n = 30
    values = np.random.default_rng(0).normal(size=(4000, n))
    low, high = np.percentile(values @ bootstrap_weights(n, seed=1).T / n, [2.5, 97.5], axis=1)
    covered = np.mean((low < 0) & (high > 0))
    # The interval is 1.96 sqrt((n - 1) / n) standard errors wide on either side, and the error is
    # estimated with n - 1 degrees of freedom.
    wanted = 1 - 2 * t.sf(1.96 * np.sqrt((n - 1) / n), n - 1)
    assert wanted == pytest.approx(0.936, abs=0.001)
    assert covered == pytest.approx(wanted, abs=0.015)


def test_a_resample_is_of_as_many_subjects_as_there_are() -> None:
    weights = bootstrap_weights(7, seed=0)
    assert (weights.sum(axis=1) == 7).all()
    assert weights.mean() == pytest.approx(1)
    assert weights.var(axis=0).mean() == pytest.approx(1 - 1 / 7, rel=0.05)


def test_the_interval_is_over_subjects_not_over_windows() -> None:
    said = answered(subjects=2, trials=10, windows=10)
    right = np.log(np.where(np.eye(2)[said.label] > 0, 0.99, 0.01))
    half = (said.subject == "s00")[:, None]
    said = replace(said, log_p=np.where(half, right, right[:, ::-1]))
    got = evaluate(said, train_prior=priors(said), seed=0).per_window.scores["accuracy"]
    assert (got.ci_low, got.value, got.ci_high) == (0.0, 0.5, 1.0)


def test_an_interval_is_recomputed_subject_by_subject() -> None:
    said = answered(subjects=5, sharpness=0.8)
    got = evaluate(said, train_prior=priors(said), seed=4).per_window.scores["macro_f1"]
    draws = []
    for weights in bootstrap_weights(5, seed=4)[:200]:
        rows = np.concatenate(
            [
                np.flatnonzero(said.subject == f"s{i:02d}")
                for i, times in enumerate(weights.astype(int))
                for _ in range(times)
            ]
        )
        label, answer = said.label[rows], said.log_p[rows].argmax(axis=1)
        recalls = [
            2 * np.sum((label == k) & (answer == k)) / (np.sum(label == k) + np.sum(answer == k))
            for k in (0, 1)
        ]
        draws.append(np.mean(recalls))
    low, high = np.percentile(draws, [2.5, 97.5])
    assert got.ci_low == pytest.approx(low, abs=0.02)
    assert got.ci_high == pytest.approx(high, abs=0.02)


def test_p_is_small_for_one_who_knows_and_the_least_there_is_for_one_who_knows_all() -> None:
    said = answered(subjects=6, trials=8, windows=2, sharpness=20.0)
    got = evaluate(said, train_prior=priors(said), seed=0)
    assert got.per_trial.p["accuracy"] == 1 / (1 + N_PERMUTATIONS)
    assert got.per_window.p["balanced_accuracy"] == 1 / (1 + N_PERMUTATIONS)


def test_p_of_those_who_know_nothing_is_spread_evenly() -> None:
    found = []
    for seed in range(60):
        said = answered(subjects=4, trials=12, windows=2, seed=seed)
        answers = answers_of([said], priors(said))
        found.append(permutation_p(answers, ("accuracy",), seed=seed)["accuracy"])
    assert 0.4 < np.mean(found) < 0.65  # ties make a p a little larger
    assert 0 < np.mean(np.array(found) < 0.3) < 0.5


def test_p_by_window_is_not_fooled_by_many_windows_of_few_trials() -> None:
    """Windows of a trial say the same: shuffling windows would call this luck certain."""
    said = answered(subjects=2, trials=4, windows=100, seed=1)
    trial = np.repeat(np.arange(8), 100)
    luck = np.log(np.where(np.eye(2)[said.label ^ (trial % 4 == 0)] > 0, 0.8, 0.2))
    got = evaluate(replace(said, log_p=luck), train_prior=priors(said), seed=0)
    assert got.per_window.scores["accuracy"].value == 0.75
    assert got.per_window.p["accuracy"] > 0.05
    assert got.per_window.p["accuracy"] == got.per_trial.p["accuracy"]


def test_knowing_the_subject_alone_is_worth_nothing() -> None:
    said = answered(subjects=6, trials=10, windows=1)
    high = np.array([int(name[1:]) % 2 for name in said.subject])
    said = replace(said, label=high, log_p=np.log(np.where(np.eye(2)[high] > 0, 0.9, 0.1)))
    got = evaluate(said, train_prior=priors(said), seed=0).per_trial
    assert got.scores["accuracy"].value == 1
    assert got.p["accuracy"] == 1


def test_the_closed_form_of_a_small_permutation_test() -> None:
    """One subject, two high trials of six, both named: 1 of 15 orders does as well."""
    said = answered(subjects=1, trials=6, windows=1)
    label = np.array([1, 1, 0, 0, 0, 0])
    said = replace(said, label=label, log_p=np.log(np.where(np.eye(2)[label] > 0, 0.9, 0.1)))
    got = permutation_p(by_trial(answers_of([said], priors(said))), ("accuracy",), seed=0)
    assert got["accuracy"] == pytest.approx(1 / 15, abs=4 * np.sqrt(1 / 15 * 14 / 15 / 1000))


def test_trials_of_different_lengths_are_shuffled_whole() -> None:
    said = answered(subjects=2, trials=5, windows=4, sharpness=20.0)
    kept = np.ones(len(said), dtype=bool)
    kept[[0, 5, 6, 21, 22, 23]] = False
    got = evaluate(said.rows(kept), train_prior=priors(said), seed=0)
    assert got.per_window.p["balanced_accuracy"] < 0.05


def test_a_paired_difference_in_closed_form() -> None:
    one = {"a": 0.7, "b": 0.8, "c": 0.9}
    other = {"c": 0.7, "b": 0.7, "a": 0.5}
    got = paired_difference(one, other, seed=0)
    assert got.value.value == pytest.approx(0.5 / 3)
    assert got.by_subject == pytest.approx({"a": 0.2, "b": 0.1, "c": 0.2})
    # All signs alike: 2 of the 8 tosses are as far from 0.
    assert got.p == pytest.approx(2 / 8)
    assert got.value.ci_low == pytest.approx(0.1)
    assert got.value.ci_high == pytest.approx(0.2)


def test_a_paired_difference_agrees_with_wilcoxon_where_there_is_one_and_where_not() -> None:
    rng = np.random.default_rng(0)
    names = [f"s{i}" for i in range(18)]
    other = dict(zip(names, rng.uniform(0.4, 0.6, 18), strict=True))
    for shift, is_there in ((0.05, True), (0.0, False)):
        noise = rng.normal(0, 0.04, 18)
        noise += shift - noise.mean()
        one = {name: other[name] + change for name, change in zip(names, noise, strict=True)}
        got = paired_difference(one, other, seed=0)
        theirs = wilcoxon(list(got.by_subject.values())).pvalue
        assert (got.p < 0.05) == is_there == (theirs < 0.05)
        assert got.value.ci_low is not None
        assert (got.value.ci_low > 0) == is_there


def test_one_subject_alone_differs_without_interval() -> None:
    got = paired_difference({"a": 0.7}, {"a": 0.5}, seed=0)
    assert (got.p, got.value.ci_low) == (1.0, None)


def test_a_variant_beside_itself_does_not_differ() -> None:
    same = {f"s{i}": 0.1 * i for i in range(9)}
    got = paired_difference(same, same, seed=0)
    assert (got.value.value, got.value.ci_low, got.value.ci_high, got.p) == (0, 0, 0, 1)


def test_different_subjects_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="only one did for b, c"):
        paired_difference({"a": 1.0, "b": 1.0}, {"a": 1.0, "c": 1.0}, seed=0)
    with pytest.raises(ValueError, match="no number"):
        paired_difference({"a": np.nan}, {"a": 1.0}, seed=0)
