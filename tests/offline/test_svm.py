import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from offline.models.contract import Shapes
from offline.models.svm import SVM, SVMSettings
from rtaffect.core.montages import EEG_15
from rtaffect.core.spec import SignalSpec, WindowSpec

SHAPES = Shapes(
    windows=WindowSpec(modalities={"eeg": SignalSpec(ch_names=EEG_15)}),
    targets={"valence": 2, "category": 3},
)


def _data(n: int = 120, *, seed: int = 0) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Entropies of n windows; classes shift some of them, and overlap."""
    rng = np.random.default_rng(seed)
    labels = {"valence": rng.integers(0, 2, n), "category": rng.integers(0, 3, n)}
    x = rng.normal(size=(n, len(EEG_15), 4))
    x[:, :4] += 0.6 * labels["valence"][:, None, None]
    x[:, 8:12, :2] += 0.7 * labels["category"][:, None, None]
    return (
        torch.tensor(x, dtype=torch.float32),
        {name: torch.from_numpy(y) for name, y in labels.items()},
    )


def _solved(n: int = 120, **settings: object) -> tuple[SVM, np.ndarray, dict[str, torch.Tensor]]:
    machine = SVMSettings(**settings).build(SHAPES)
    entropy, labels = _data(n)
    machine.fit_scales({"entropy": entropy})
    machine.solve(iter([({"entropy": entropy}, 1)]), labels, seed=0)
    return machine.eval(), machine.encode({"entropy": entropy}).double().numpy(), labels


def _reference(x: np.ndarray, kernel: str) -> SVC:
    return SVC(kernel=kernel, gamma=1 / (x.shape[1] * x.var()), class_weight="balanced")


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_decisions_are_those_of_scikit_learn(kernel: str) -> None:
    machine, x, labels = _solved(kernel=kernel)
    unseen = np.random.default_rng(9).normal(size=(50, x.shape[1]))
    for target, number, index in (("valence", 1, 0), ("category", 0, 0), ("category", 2, 2)):
        expected = _reference(x, kernel).fit(x, labels[target].numpy() == number)
        got = machine.head.answers[target].machines[index](torch.tensor(unseen).float())
        np.testing.assert_allclose(
            got.numpy(), expected.decision_function(unseen), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_probabilities_are_platts(kernel: str) -> None:
    machine, x, labels = _solved(kernel=kernel)
    entropy, _ = _data(seed=4)
    expected = CalibratedClassifierCV(
        _reference(x, kernel), method="sigmoid", cv=StratifiedKFold(5), ensemble=False
    ).fit(x, labels["valence"].numpy())
    unseen = machine.encode({"entropy": entropy}).double().numpy()
    got = machine({"entropy": entropy}, 1)["valence"].softmax(dim=1).numpy()
    np.testing.assert_allclose(got, expected.predict_proba(unseen), atol=1e-3)


def test_a_class_that_nobody_was_in_is_unlikely_and_no_error() -> None:
    machine = SVMSettings().build(SHAPES)
    entropy, labels = _data()
    always = {"valence": torch.ones(120, dtype=torch.long), "category": labels["category"] % 2}
    machine.fit_scales({"entropy": entropy})
    machine.solve(iter([({"entropy": entropy}, 1)]), always, seed=0)
    said = {k: x.softmax(dim=1) for k, x in machine({"entropy": entropy}, 1).items()}
    torch.testing.assert_close(said["valence"][:, 1], torch.full((120,), 121 / 122))
    assert said["category"][:, 2].max() < 0.05


def test_noise_gives_no_confident_answers() -> None:
    machine = SVMSettings(kernel="rbf").build(SHAPES)
    entropy = torch.randn(200, len(EEG_15), 4, generator=torch.Generator().manual_seed(1))
    _, labels = _data(200, seed=2)
    machine.fit_scales({"entropy": entropy})
    machine.solve(iter([({"entropy": entropy}, 1)]), labels, seed=0)
    said = machine({"entropy": torch.randn(200, len(EEG_15), 4)}, 1)["valence"].softmax(dim=1)
    assert said.max() < 0.8


def test_many_sequences_are_thinned_by_the_seed() -> None:
    machine, x, _ = _solved(120, max_sequences=40)
    same, _, _ = _solved(120, max_sequences=40)
    kernel, again = (m.head.answers["valence"].machines[0] for m in (machine, same))
    assert 0 < len(kernel.support) <= 40 < len(x)
    assert torch.equal(kernel.support, again.support)


def test_sequences_are_answered_from_their_mean_slice() -> None:
    machine = SVMSettings().build(SHAPES)
    entropy, labels = _data(120)
    machine.fit_scales({"entropy": entropy})
    halves = [({"entropy": entropy[:80]}, 2), ({"entropy": entropy[80:]}, 1)]
    machine.solve(iter(halves), {k: y[:80] for k, y in labels.items()}, seed=0)
    slices = machine.encode({"entropy": entropy[:80]}).reshape(40, 2, -1)
    expected = machine.head(slices.mean(dim=1, keepdim=True))
    got = machine({"entropy": entropy[:80]}, 2)
    torch.testing.assert_close(got["valence"], expected["valence"])
