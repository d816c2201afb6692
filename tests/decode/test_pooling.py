"""The rule of fusion against its closed form, written here a second time."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pytest
from fused_cases import HALVES, THIRDS, target
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rv_histogram

from rtaffect.decode.pooling import member_weights, pool_of, rebinning, union_edges
from rtaffect.manifest import Target

shares = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6).filter(lambda p: sum(p) > 0.1)
inner = st.lists(st.integers(-99, 99), min_size=1, max_size=5, unique=True)


def normal(p: Sequence[float]) -> tuple[float, ...]:
    return tuple((np.asarray(p) / np.sum(p)).tolist())


def closed_form(
    prior: np.ndarray, answers: Sequence[np.ndarray], weights: Sequence[float]
) -> np.ndarray:
    """Product of powers: the weighted geometric mean with the prior as the last expert."""
    p = prior ** (1 - sum(weights))
    for answer, weight in zip(answers, weights, strict=True):
        p = p * answer**weight
    return p / p.sum()


def mass(edges: Sequence[float], p: Sequence[float], low: float, high: float) -> float:
    """The mass of a histogram between two points, by scipy."""
    histogram = rv_histogram((np.asarray(p), np.asarray(edges)), density=False)
    return float(histogram.cdf(high) - histogram.cdf(low))


@given(st.data(), inner, inner)
def test_rebinning_is_the_mass_of_a_histogram(
    data: st.DataObject, one: list[int], two: list[int]
) -> None:
    coarse = (-1.0, *(edge / 100 for edge in sorted(one)), 1.0)
    fine = union_edges([coarse, (-1.0, *(edge / 100 for edge in sorted(two)), 1.0)])
    n = len(coarse) - 1
    p = normal(data.draw(st.lists(st.floats(0.01, 1), min_size=n, max_size=n)))
    matrix = rebinning(coarse, fine)
    expected = [mass(coarse, p, low, high) for low, high in pairwise(fine)]
    assert matrix @ np.asarray(p) == pytest.approx(expected, abs=1e-12)
    assert matrix.sum(axis=0) == pytest.approx(np.ones(n))


def test_outermost_classes_reach_as_far_as_anybodys() -> None:
    matrix = rebinning((-0.5, 0.0, 0.5), (-1.0, -0.5, 0.0, 0.5, 1.0))
    assert matrix @ [0.4, 0.6] == pytest.approx([0.2, 0.2, 0.3, 0.3])


def test_edges_that_differ_by_rounding_are_one() -> None:
    third = 1 / 3
    assert union_edges([(-1.0, -third, third, 1.0), (-1.0, -0.333333, 0.0, 0.333333, 1.0)]) == (
        pytest.approx((-1.0, -third, 0.0, third, 1.0), abs=1e-6)
    )


def test_two_scales_pool_on_the_union_of_their_edges() -> None:
    pool = pool_of(
        {
            "a": target(0.5, edges=HALVES, prior=(0.4, 0.6)),
            "b": target(0.25, edges=THIRDS, prior=(0.3, 0.4, 0.3)),
        }
    )
    assert pool is not None
    assert pool.edges == (-1.0, -0.25, 0.0, 0.25, 1.0)
    assert pool.classes == ("-1..-0.25", "-0.25..0", "0..0.25", "0.25..1")
    on_four = {
        "a": np.array([0.2 * 0.75, 0.2 * 0.25, 0.8 * 0.25, 0.8 * 0.75]),
        "b": np.array([0.1, 0.1, 0.1, 0.7]),
    }
    priors = [np.array([0.3, 0.1, 0.15, 0.45]), np.array([0.3, 0.2, 0.2, 0.3])]
    prior = (priors[0] + priors[1]) / 2
    assert pool.prior == pytest.approx(prior)
    given = {"a": (0.2, 0.8), "b": (0.1, 0.2, 0.7)}
    expected = closed_form(prior, [on_four["a"], on_four["b"]], [0.5, 0.2])
    assert pool.pooled(given, {"a": 0.5, "b": 0.2}) == pytest.approx(expected)


@settings(deadline=None)
@given(st.data(), st.integers(2, 4), st.integers(2, 5))
def test_the_pool_is_the_closed_form(data: st.DataObject, n_members: int, n_classes: int) -> None:
    def drawn() -> tuple[float, ...]:
        least = st.floats(0.01, 1.0)
        return normal(data.draw(st.lists(least, min_size=n_classes, max_size=n_classes)))

    edges = tuple(np.linspace(-1, 1, n_classes + 1).tolist())
    names = [f"m{i}" for i in range(n_members)]
    targets = {name: target(0.3, edges=edges, prior=drawn()) for name in names}
    answers = {name: drawn() for name in names}
    weights = {name: data.draw(st.floats(0, 1)) / n_members for name in names}
    pool = pool_of(targets)
    assert pool is not None
    prior = np.mean([targets[name].prior for name in names], axis=0)
    expected = closed_form(
        prior, [np.array(answers[name]) for name in names], [weights[name] for name in names]
    )
    found = pool.pooled(answers, weights)
    assert found == pytest.approx(expected, abs=1e-9)
    order = data.draw(st.permutations(names))
    turned = pool_of({name: targets[name] for name in order})
    assert turned is not None
    assert turned.pooled({name: answers[name] for name in order}, weights).tolist() == (
        found.tolist()
    )


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1e4)), min_size=1, max_size=5)
)
def test_weights_are_the_product_and_never_sum_above_one(
    parts: list[tuple[float, float, float]],
) -> None:
    names = [f"m{i}" for i in range(len(parts))]
    skills, coverage, age_s = (
        dict(zip(names, column, strict=True)) for column in zip(*parts, strict=True)
    )
    found = member_weights(skills, coverage, age_s, tau_s=10.0)
    raw = np.array([skill * share * np.exp(-age / 10.0) for skill, share, age in parts])
    assert math.fsum(found.values()) <= 1 + 1e-12
    assert [found[n] for n in names] == pytest.approx(raw / max(1.0, raw.sum()), abs=1e-12)


def test_identical_members_are_never_surer_than_one_of_them() -> None:
    prior, p = (0.5, 0.5), (0.1, 0.9)
    for n in range(2, 8):
        names = [f"m{i}" for i in range(n)]
        pool = pool_of({name: target(0.6, prior=prior) for name in names})
        assert pool is not None
        every = dict.fromkeys(names, 1.0)
        weights = member_weights(pool.skills, every, dict.fromkeys(names, 0.0), tau_s=10.0)
        assert pool.pooled(dict.fromkeys(names, p), weights) == pytest.approx(p)


def test_one_who_alone_has_all_weight_is_answered_as_is() -> None:
    pool = pool_of({"a": target(1.0), "b": target(1.0)})
    assert pool is not None
    assert pool.pooled({"a": (0.3, 0.7)}, {"a": 1.0}) == pytest.approx([0.3, 0.7])


@given(shares, shares)
def test_zeros_and_ones_give_numbers(one: list[float], two: list[float]) -> None:
    n = min(len(one), len(two))
    edges = tuple(np.linspace(-1, 1, n + 1).tolist())
    certain = normal([1.0] + [0.0] * (n - 1))
    pool = pool_of({"a": target(0.5, edges=edges, prior=certain), "b": target(0.5, edges=edges)})
    assert pool is not None
    for answers in (
        {"a": certain, "b": certain[::-1]},
        {"a": normal([*one[:n], 1e-300])[:n], "b": certain},
    ):
        found = pool.pooled(answers, {"a": 0.5, "b": 0.5})
        assert np.isfinite(found).all()
        assert found.sum() == pytest.approx(1.0)


def test_who_has_no_skill_has_no_part() -> None:
    two = {"a": target(0.5), "b": target(0.25, prior=(0.2, 0.8))}
    with_idle = pool_of({**two, "idle": target(0.0, edges=THIRDS, prior=(0.9, 0.05, 0.05))})
    without = pool_of(two)
    assert with_idle is not None
    assert without is not None
    assert with_idle.edges == without.edges == HALVES
    assert with_idle.prior.tolist() == without.prior.tolist()
    assert dict(with_idle.skills) == {"a": 0.5, "b": 0.25}


@pytest.mark.parametrize(
    "targets",
    [
        {},
        {"a": target(0.5)},
        {"a": target(0.5), "b": target(0.0)},
        {"a": target(0.5), "b": target(0.5, edges=(), classes=("c0", "c1"))},
        {
            "a": target(0.5, edges=(), classes=("joy", "fear")),
            "b": target(0.5, edges=(), classes=("joy", "fear", "love")),
        },
    ],
)
def test_what_is_of_one_decoder_alone_is_not_pooled(targets: Mapping[str, Target]) -> None:
    assert pool_of(targets) is None


def test_emotions_pool_over_identical_label_sets_whatever_their_order() -> None:
    pool = pool_of(
        {
            "a": target(0.5, edges=(), classes=("joy", "fear", "love"), prior=(0.5, 0.25, 0.25)),
            "b": target(0.5, edges=(), classes=("fear", "love", "joy"), prior=(0.25, 0.25, 0.5)),
            "c": target(0.9, edges=(), classes=("joy", "fear")),
        }
    )
    assert pool is not None
    assert pool.classes == ("joy", "fear", "love")
    assert set(pool.skills) == {"a", "b"}
    found = pool.pooled({"a": (0.6, 0.3, 0.1), "b": (0.3, 0.1, 0.6)}, {"a": 0.3, "b": 0.3})
    assert found == pytest.approx(
        closed_form(np.array([0.5, 0.25, 0.25]), [np.array([0.6, 0.3, 0.1])] * 2, [0.3, 0.3])
    )


def test_of_several_label_sets_the_one_with_the_most_skill_is_pooled() -> None:
    def of(skill: float, *classes: str) -> Target:
        return target(skill, edges=(), classes=classes)

    pool = pool_of(
        {
            "a": of(0.2, "x", "y"),
            "b": of(0.2, "x", "y"),
            "c": of(0.4, "x", "z"),
            "d": of(0.1, "z", "x"),
        }
    )
    assert pool is not None
    assert set(pool.skills) == {"c", "d"}
