import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from offline.items import NO_CLASS
from offline.models.linear_head import LinearAnswer, LinearHead


def _data(n_classes: int, *, n: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Numbers that rise with the class; the last class is rare."""
    rng = np.random.default_rng(seed)
    shares = np.r_[np.ones(n_classes - 1), 0.2]
    classes = rng.choice(n_classes, n, p=shares / shares.sum())
    return 3.0 * rng.normal(size=(n, 6)) + classes[:, None] * np.linspace(0, 2, 6), classes


def _solved(x: np.ndarray, classes: np.ndarray, how: LinearAnswer, n_classes: int) -> LinearHead:
    head = LinearHead({"target": x.shape[1]}, targets={"target": n_classes})
    head.solve(x, {"target": classes}, {"target": how})
    return head


def _said(head: LinearHead, x: np.ndarray) -> np.ndarray:
    logits = head(torch.tensor(x, dtype=torch.float32)[:, None])["target"]
    return torch.softmax(logits.double(), dim=1).numpy()


@pytest.mark.parametrize("n_classes", [2, 3, 9])
@pytest.mark.parametrize("balanced", [True, False])
def test_probabilities_are_those_of_scikit_learn(n_classes: int, balanced: bool) -> None:
    x, classes = _data(n_classes)
    how = LinearAnswer(cost=0.1, balance_classes=balanced)
    expected = LogisticRegression(
        C=0.1, class_weight="balanced" if balanced else None, max_iter=1000, tol=1e-8
    ).fit(x / x.std(), classes)
    got = _said(_solved(x, classes, how, n_classes), x)
    np.testing.assert_allclose(got, expected.predict_proba(x / x.std()), atol=2e-3)


def test_the_scale_of_what_is_seen_changes_nothing() -> None:
    x, classes = _data(3)
    one, other = (_said(_solved(k * x, classes, LinearAnswer(), 3), k * x) for k in (1.0, 40.0))
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("balanced", [True, False])
def test_ordinal_answers_hang_on_the_class_number_that_ridge_expects(balanced: bool) -> None:
    x, classes = _data(5)
    rows = (1 / np.bincount(classes))[classes] if balanced else np.ones(len(x))
    rows = rows * len(x) / rows.sum()
    ridge = Ridge(alpha=0.5 * len(x)).fit(x / x.std(), classes, sample_weight=rows)
    expected = ridge.predict(x / x.std())[:, None]
    z = (expected - expected.mean()) / expected.std()
    along = LogisticRegression(C=1e6, max_iter=1000).fit(z, classes, sample_weight=rows)
    how = LinearAnswer(solver="ordinal", penalty=0.5, balance_classes=balanced)
    got = _said(_solved(x, classes, how, 5), x)
    np.testing.assert_allclose(got, along.predict_proba(z), atol=5e-3)


def test_ridge_answers_with_the_class_whose_indicator_is_expected_most() -> None:
    x, classes = _data(3)
    ridge = Ridge(alpha=0.5 * len(x)).fit(x / x.std(), np.eye(3)[classes])
    how = LinearAnswer(solver="ridge", penalty=0.5, balance_classes=False)
    got = _said(_solved(x, classes, how, 3), x).argmax(axis=1)
    assert (got == ridge.predict(x / x.std()).argmax(axis=1)).all()


@pytest.mark.parametrize("solver", ["logistic", "ridge", "ordinal"])
def test_rows_without_a_label_take_no_part(solver: str) -> None:
    x, classes = _data(3)
    lost = np.arange(len(x)) % 4 == 0
    how = LinearAnswer.model_validate({"solver": solver})
    expected = _said(_solved(x[~lost], classes[~lost], how, 3), x)
    got = _said(_solved(x, np.where(lost, NO_CLASS, classes), how, 3), x)
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_a_class_that_nobody_has_is_unlikely_and_one_that_all_have_is_likely() -> None:
    x, classes = _data(3)
    got = _said(_solved(x[classes != 1], classes[classes != 1], LinearAnswer(), 3), x)
    assert np.isfinite(got).all()
    assert (got[:, 1] < 0.05).all()
    alone = _said(_solved(x, np.full(len(x), 2), LinearAnswer(), 3), x)
    assert (alone[:, 2] > 0.9).all()


def test_a_target_may_see_the_first_numbers_alone() -> None:
    x, classes = _data(3)
    head = LinearHead({"few": 2, "all": 6}, targets={"few": 3, "all": 3})
    how = {"few": LinearAnswer(), "all": LinearAnswer()}
    head.solve(x, {"few": classes, "all": classes}, how)
    changed = x.copy()
    changed[:, 2:] = 0
    before, after = (
        head(torch.tensor(each, dtype=torch.float32)[:, None]) for each in (x, changed)
    )
    assert torch.equal(before["few"], after["few"])
    assert not torch.allclose(before["all"], after["all"])
