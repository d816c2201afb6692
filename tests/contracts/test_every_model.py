"""What every network and its ablations promise, held to each of them."""

from pathlib import Path

import pytest
import torch

from offline.datasets.simulated import ROLES, SimulatedSettings
from offline.models import MODELS
from offline.models.prior_dfcn import Observation, PriorDFCN, PriorDFCNSettings

OFFLINE = Path(__file__).parents[2] / "offline"
PARTS = {"__init__", "stfenet"}  # of other networks, with tests of their own
TARGETS = {"valence": 2, "arousal": 3}
VARIANTS = {
    "full": {},
    "w/o PKE": {"prior": False},
    "w/o NL block": {"non_local": False},
    "w/o STFENet": {"stfenet": False},
    "baseline": {"prior": False, "stfenet": False},
    "scores as tokens": {"face_tokens": "scores"},
    "linear power": {"power": "linear_power"},
}
P, N_FACE, T = 15, 29, 4


def test_every_network_is_registered() -> None:
    assert {path.stem for path in (OFFLINE / "models").glob("*.py")} == set(MODELS) | PARTS


def make(variant: str) -> PriorDFCN:
    torch.manual_seed(3)
    settings = PriorDFCNSettings.model_validate(VARIANTS[variant])
    return MODELS["prior_dfcn"](settings, n_channels=P, n_face=N_FACE, sfreq=128.0, targets=TARGETS)


def observe(n_sequences: int, *, seed: int = 0) -> Observation:
    generator = torch.Generator().manual_seed(seed)
    n = n_sequences * T
    r = torch.rand(n, P, P, generator=generator) * 2 - 1
    return Observation(
        band_power=torch.randn(n, P, 5, generator=generator),
        connectivity=(r + r.transpose(1, 2)) / 2,
        face=torch.randn(n, N_FACE, generator=generator),
        has_face=(torch.arange(n) % 3 > 0).float(),
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_answers_have_the_targets_shape_and_repeat(variant: str) -> None:
    model = make(variant).eval()
    logits = model(observe(3), T)
    assert {name: tuple(x.shape) for name, x in logits.items()} == {
        "valence": (3, 2),
        "arousal": (3, 3),
    }
    again = model(observe(3), T)
    assert all(torch.equal(logits[name], again[name]) for name in TARGETS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_sequence_does_not_depend_on_its_batch(variant: str) -> None:
    model = make(variant).eval()
    many = observe(4)
    one = Observation(*(x[T : 2 * T] for x in many))
    together, alone = model(many, T), model(one, T)
    for name in TARGETS:
        torch.testing.assert_close(together[name][1:2], alone[name], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_gradient_reaches_every_weight(variant: str) -> None:
    model = make(variant).train()
    loss = sum(x.square().sum() for x in model(observe(4), T).values())
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    dead = [name for name, w in model.named_parameters() if w.grad is None or not w.grad.any()]
    assert not dead


@pytest.mark.parametrize("variant", VARIANTS)
def test_constant_channels_and_an_absent_face_give_numbers(variant: str) -> None:
    model = make(variant).eval()
    nothing = Observation(*(torch.zeros_like(x) for x in observe(2)))
    assert all(torch.isfinite(x).all() for x in model(nothing, T).values())


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_choice_is_said_in_the_card(variant: str) -> None:
    said = PriorDFCNSettings.model_validate(VARIANTS[variant]).choices()
    assert len(said) == 4
    assert all(sentence.endswith(".") for sentence in said)


def test_nobody_has_two_roles_in_the_simulated_data_set() -> None:
    seeds = SimulatedSettings(n_train=5, n_validation=3, n_test=4, first_seed=7).seeds()
    assert tuple(seeds) == ROLES
    everybody = [seed for group in seeds.values() for seed in group]
    assert sorted(everybody) == list(range(7, 19))
