import numpy as np
import pytest
import torch
from torch.nn import functional

from offline.evaluation import evaluate, fit_temperature, skill
from offline.models.prior_dfcn import Observation
from offline.training import Sequences

HALF = torch.tensor([0.5, 0.5], dtype=torch.float64)


def _data(truth: np.ndarray, participants: np.ndarray) -> Sequences:
    nothing = torch.zeros(0)
    return Sequences(
        observation=Observation(nothing, nothing, nothing, nothing),
        rows=torch.zeros(len(truth), 1),
        n_slices=torch.ones(len(truth)),
        labels={"valence": torch.from_numpy(truth > 0).long()},
        truth={"valence": truth},
        participants=participants,
    )


def test_the_temperature_that_was_put_in_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    calibrated = 2 * torch.randn(20_000, 2, generator=generator)
    labels = torch.multinomial(torch.softmax(calibrated, 1), 1, generator=generator)[:, 0]
    assert fit_temperature(3.0 * calibrated, labels) == pytest.approx(3.0, rel=0.05)
    assert fit_temperature(0.4 * calibrated, labels) == pytest.approx(0.4, rel=0.05)


def test_skill_is_what_its_definition_says() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.3, 0.0]])
    labels = torch.tensor([0, 1, 1])
    nll = functional.cross_entropy(logits, labels).item()
    assert skill(logits, labels, HALF) == pytest.approx(1 - nll / np.log(2))


def test_a_model_worse_than_the_prior_has_no_skill() -> None:
    assert skill(torch.tensor([[9.0, 0.0]]), torch.tensor([1]), HALF) == 0.0


def test_metrics_of_a_model_that_knows_nothing() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(-1, 1, 4000)
    data = _data(truth, np.repeat([f"p{i}" for i in range(20)], 200))
    logits = torch.from_numpy(rng.normal(size=(4000, 2)))
    got = evaluate(logits, data, "valence", prior=HALF, seed=0)
    assert got["balanced_accuracy"].ci_low < 0.5 < got["balanced_accuracy"].ci_high
    assert got["correlation"].ci_low < 0 < got["correlation"].ci_high
    assert got["prior_nll"].value == pytest.approx(np.log(2))
    assert got["prevalence"].value == pytest.approx(np.mean(truth > 0))


def test_metrics_of_a_model_that_knows_all() -> None:
    truth = np.random.default_rng(1).uniform(-1, 1, 600)
    data = _data(truth, np.repeat(["a", "b", "c"], 200))
    logits = torch.stack([torch.zeros(600), torch.from_numpy(50 * truth)], dim=1)
    got = evaluate(logits, data, "valence", prior=HALF, seed=0)
    assert got["balanced_accuracy"].value == 1.0
    assert got["accuracy"].ci_low == 1.0
    assert got["correlation"].value > 0.8


def test_balanced_accuracy_is_the_mean_recall() -> None:
    truth = np.array([1.0, 1.0, 1.0, -1.0])
    logits = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    got = evaluate(logits, _data(truth, np.array(["a"] * 4)), "valence", prior=HALF, seed=0)
    assert got["balanced_accuracy"].value == pytest.approx((2 / 3 + 0.0) / 2)
    assert got["accuracy"].value == pytest.approx(0.5)


def test_the_interval_is_over_participants_not_over_windows() -> None:
    truth = np.tile([1.0, -1.0], 500)
    right, wrong = np.stack([-truth, truth], 1), np.stack([truth, -truth], 1)
    logits = torch.from_numpy(np.concatenate([right[:500], wrong[500:]]))
    two = _data(truth, np.repeat(["a", "b"], 500))
    got = evaluate(logits, two, "valence", prior=HALF, seed=0)["accuracy"]
    assert (got.ci_low, got.value, got.ci_high) == (0.0, 0.5, 1.0)
