import numpy as np
import pytest
import scipy.linalg
import torch

from offline.errors import DataError
from offline.models.contract import Shapes
from offline.models.shared_response import SharedResponseSettings, shared_components
from rtaffect.core.errors import ConfigError
from rtaffect.core.spec import RoiSpec, WindowSpec

N_PEOPLE, N_MOMENTS, N_REGIONS = 5, 400, 7
SHAPES = Shapes(
    windows=WindowSpec(
        window_s=24.0,
        hop_s=2.0,
        closes="roi",
        modalities={"roi": RoiSpec(ch_names=tuple("abcdefg"))},
    ),
    targets={"emotion": 3},
)


def _people(seed: int = 0) -> np.ndarray:
    """Return responses (people, moments, regions): two shared courses in coloured noise."""
    rng = np.random.default_rng(seed)
    courses = rng.normal(size=(N_MOMENTS, 2)) * [1.0, 0.6]
    places = rng.normal(size=(2, N_REGIONS))
    mixing = rng.normal(size=(N_REGIONS, N_REGIONS))
    noise = rng.normal(size=(N_PEOPLE, N_MOMENTS, N_REGIONS)) @ mixing
    return courses @ places + noise + rng.normal(size=(N_PEOPLE, 1, N_REGIONS))


def _rows(x: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    people, moments = np.indices(x.shape[:2])
    return (
        torch.tensor(x.reshape(-1, x.shape[2]), dtype=torch.float64),
        torch.from_numpy(moments.ravel()),
        torch.from_numpy(people.ravel()),
    )


def _covariances(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what people share and what they do not, pair by pair of people."""
    x = x - x.mean(axis=1, keepdims=True)
    pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if i != j]
    shared = np.mean([x[i].T @ x[j] / x.shape[1] for i, j in pairs], axis=0)
    return shared, np.mean([own.T @ own / x.shape[1] for own in x], axis=0) - shared


@pytest.mark.parametrize("shrinkage", [1e-6, 0.03, 1.0])
def test_components_solve_the_generalised_eigenproblem(shrinkage: float) -> None:
    x = _people()
    shared, noise = _covariances(x)
    level = np.trace(noise) / N_REGIONS
    noise = (1 - shrinkage) * noise + shrinkage * level * np.eye(N_REGIONS)
    ratios, vectors = scipy.linalg.eigh(shared, noise)
    ratios, vectors = np.maximum(ratios[::-1], 0), vectors[:, ::-1]
    projection, correlation = shared_components(*_rows(x), shrinkage=shrinkage)
    np.testing.assert_allclose(correlation.numpy(), ratios / (1 + ratios), atol=1e-9)
    expected = vectors * np.sqrt(ratios / (1 + ratios))
    same_sign = expected * np.sign((expected * projection.numpy()).sum(axis=0))
    np.testing.assert_allclose(projection.numpy(), same_sign, atol=1e-7)


def test_a_known_course_is_found_with_its_known_correlation() -> None:
    """Courses that are orthogonal to the last digit: one shared, of power 4, in noise of 1."""
    waves = np.sqrt(2) * np.cos(2 * np.pi * np.outer(np.arange(N_MOMENTS), np.arange(1, 12)) / 400)
    x = waves[:, 1:].T.reshape(2, 5, N_MOMENTS).swapaxes(1, 2).copy()  # 2 people, 5 regions
    x[:, :, 3] += 2 * waves[:, 0]
    projection, correlation = shared_components(*_rows(x), shrinkage=1e-9)
    np.testing.assert_allclose(correlation[0], 4 / (4 + 1), atol=1e-6)
    np.testing.assert_allclose(correlation[1:], 0, atol=1e-6)
    np.testing.assert_allclose(projection[:, 0], np.sqrt(0.8) * np.eye(5)[3], atol=1e-6)


def test_order_of_rows_and_windows_of_one_person_alone_change_nothing() -> None:
    x, moment, subject = _rows(_people())
    expected, _ = shared_components(x, moment, subject, shrinkage=0.03)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    mixed, _ = shared_components(x[order], moment[order], subject[order], shrinkage=0.03)
    torch.testing.assert_close(mixed, expected)
    alone = 9 * torch.ones(10, N_REGIONS, dtype=torch.float64)
    nobody_else = torch.cat([torch.full((5,), -1), 1000 + torch.arange(5)])
    more, _ = shared_components(
        torch.cat([x, alone]),
        torch.cat([moment, nobody_else]),
        torch.cat([subject, torch.zeros(10, dtype=torch.int64)]),
        shrinkage=0.03,
    )
    torch.testing.assert_close(more, expected)


def test_people_may_miss_moments() -> None:
    x, moment, subject = _rows(_people())
    there = (moment + 3 * subject) % 9 > 0
    whole, _ = shared_components(x, moment, subject, shrinkage=0.03)
    part, _ = shared_components(x[there], moment[there], subject[there], shrinkage=0.03)
    cosine = torch.nn.functional.cosine_similarity(whole[:, 0], part[:, 0], dim=0)
    assert cosine > 0.95


def test_without_others_there_is_nothing_shared() -> None:
    x, moment, subject = _rows(_people())
    with pytest.raises(DataError, match="several people at the same moment"):
        shared_components(x, torch.full_like(moment, -1), subject, shrinkage=0.03)
    one = subject == 2
    with pytest.raises(DataError, match="several people"):
        shared_components(x[one], moment[one], subject[one], shrinkage=0.03)


def test_shared_directions_hold_for_a_person_who_was_not_there() -> None:
    people = _people()
    model = SharedResponseSettings(mean_s=0).build(SHAPES)
    x, moment, subject = _rows(people[:4])
    model.fit_scales({"recent": x.float(), "moment": moment, "subject": subject})
    others = people[:4].mean(axis=0)
    stranger = model.encode({"recent": torch.tensor(people[4], dtype=torch.float32)})[:, 0]
    crowd = model.encode({"recent": torch.tensor(others, dtype=torch.float32)})[:, 0]
    random = np.random.default_rng(1).normal(size=N_REGIONS)
    found = np.corrcoef(stranger, crowd)[0, 1]
    assert found > 2 * abs(np.corrcoef(people[4] @ random, others @ random)[0, 1])


def test_the_mean_is_that_of_the_newest_seconds() -> None:
    model = SharedResponseSettings(mean_s=10).build(SHAPES)
    window = torch.arange(7 * 12, dtype=torch.float32).reshape(1, 7, 12)
    expected = window[:, :, 7:].mean(dim=2)
    torch.testing.assert_close(model.extract({"roi": window})["recent"], expected)
    with pytest.raises(ConfigError, match=r"mean_s must not exceed windows\.window_s"):
        SharedResponseSettings(mean_s=26).build(SHAPES)
