import numpy as np
import pytest
import torch

from offline.features.prior import CrossModalPrior

P, D, F, WIDTH = 6, 5, 29, 4


def _prior(face_tokens: str) -> CrossModalPrior:
    torch.manual_seed(0)
    return CrossModalPrior(
        n_channels=P, n_bands=D, n_face=F, width=WIDTH, face_tokens=face_tokens
    ).double()


def _inputs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, P, D)), rng.normal(size=(3, F))


def test_equations_2_to_5_with_the_face_mapped_to_tokens() -> None:
    prior = _prior("features")
    w = {name: value.detach().numpy() for name, value in prior.named_parameters()}
    eeg, face = _inputs()
    got = prior(torch.from_numpy(eeg), torch.from_numpy(face), torch.ones(3)).detach().numpy()
    for x_e, features, cor in zip(eeg, face, got, strict=True):
        x_f = (w["to_tokens.weight"] @ features + w["to_tokens.bias"]).reshape(P, D)
        q_e, k_e = x_e @ w["query_eeg.weight"].T, x_e @ w["key_eeg.weight"].T
        q_f, k_f = x_f @ w["query_face.weight"].T, x_f @ w["key_face.weight"].T
        scores = q_e @ k_f.T / np.sqrt(WIDTH) + q_f @ k_e.T / np.sqrt(WIDTH)
        np.testing.assert_allclose(cor, np.log1p(np.exp(scores)), rtol=1e-10)


def test_equations_2_to_5_with_the_scores_mapped_to_channels() -> None:
    prior = _prior("scores")
    w = {name: value.detach().numpy() for name, value in prior.named_parameters()}
    eeg, face = _inputs()
    got = prior(torch.from_numpy(eeg), torch.from_numpy(face), torch.ones(3)).detach().numpy()
    for x_e, features, cor in zip(eeg, face, got, strict=True):
        x_f = features[:, None]
        q_e, k_e = x_e @ w["query_eeg.weight"].T, x_e @ w["key_eeg.weight"].T
        q_f, k_f = x_f @ w["query_face.weight"].T, x_f @ w["key_face.weight"].T
        scores = q_e @ k_f.T / np.sqrt(WIDTH) + (q_f @ k_e.T / np.sqrt(WIDTH)).T
        scores = scores @ w["to_tokens.weight"].T + w["to_tokens.bias"]
        np.testing.assert_allclose(cor, np.log1p(np.exp(scores)), rtol=1e-10)


@pytest.mark.parametrize("face_tokens", ["features", "scores"])
def test_without_a_face_the_prior_is_all_ones(face_tokens: str) -> None:
    eeg, face = (torch.from_numpy(x) for x in _inputs())
    got = _prior(face_tokens)(eeg, face, torch.tensor([1.0, 0.0, 1.0]))
    assert torch.equal(got[1], torch.ones(P, P, dtype=torch.float64))
    assert not torch.allclose(got[0], got[1])


@pytest.mark.parametrize("face_tokens", ["features", "scores"])
def test_the_prior_is_never_negative_and_every_weight_learns(face_tokens: str) -> None:
    prior = _prior(face_tokens)
    eeg, face = (torch.from_numpy(x) for x in _inputs())
    got = prior(eeg * 100, face, torch.ones(3))
    assert got.min() >= 0
    prior(eeg, face, torch.ones(3)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in prior.parameters())
