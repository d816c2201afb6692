import numpy as np
import pytest
import torch

from offline.models.asb import ASB, ASBSettings, Block, SqueezeExcitation
from offline.models.contract import Shapes
from rtaffect.core.atlas import brainnetome
from rtaffect.core.errors import ConfigError
from rtaffect.core.montages import EEG_15
from rtaffect.core.spec import RoiSpec, SignalSpec, WindowSpec

# The challenge's windows: 246 regions, 25 s at 1 Hz.
WINDOWS = WindowSpec(
    window_s=25.0,
    hop_s=25.0,
    closes="roi",
    modalities={"roi": RoiSpec(ch_names=brainnetome().names, sfreq=1.0)},
)


def _build(n_classes: int = 3, **settings: object) -> ASB:
    torch.manual_seed(0)
    shapes = Shapes(windows=WINDOWS, targets={"class": n_classes})
    return ASBSettings.model_validate(settings).build(shapes)


def _n_weights(network: torch.nn.Module) -> int:
    return sum(x.numel() for x in network.parameters())


def _excitation(n_channels: int) -> int:
    n_hidden = n_channels // 16
    return n_channels * n_hidden + n_hidden + n_hidden * n_channels + n_channels


def _block(n_in: int, n_out: int) -> int:
    return 3 * n_in * n_out + n_out + _excitation(n_out) + 2 * n_out


@pytest.mark.parametrize("n_classes", [3, 9])
def test_there_are_as_many_weights_as_in_the_published_network(n_classes: int) -> None:
    dense = 25 * 128 * 512 + 512 + 512 * 100 + 100 + 100 * n_classes + n_classes
    blocks = _block(246, 32) + _block(32, 64) + _block(64, 128)
    blocks += _block(246, 64) + _block(246, 128) + _block(32, 128)
    assert _n_weights(_build(n_classes)) == _excitation(246) + blocks + dense
    assert _n_weights(_build(n_classes, focus=False)) == blocks + dense


def test_excitation_is_what_its_equation_says() -> None:
    torch.manual_seed(1)
    layer = SqueezeExcitation(32, ratio=16)
    x = np.random.default_rng(0).normal(size=(4, 32, 11))
    w1, b1 = layer.squeeze.weight.detach().numpy(), layer.squeeze.bias.detach().numpy()
    w2, b2 = layer.excite.weight.detach().numpy(), layer.excite.bias.detach().numpy()
    hidden = np.maximum(x.mean(axis=2) @ w1.T + b1, 0)
    weights = 1 / (1 + np.exp(-(hidden @ w2.T + b2)))
    got = layer(torch.tensor(x, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(got, x * weights[:, :, None], atol=1e-6)


@pytest.mark.parametrize("is_shortcut", [False, True])
def test_a_block_convolves_then_weighs_then_normalises(is_shortcut: bool) -> None:
    torch.manual_seed(1)
    block = Block(6, 16, ratio=4, is_shortcut=is_shortcut).eval()
    x = np.random.default_rng(0).normal(size=(3, 6, 9))
    kernel = block.convolution.weight.detach().double().numpy()
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    y = np.zeros((3, 16, 9))
    for i in range(9):
        y[:, :, i] = np.einsum("bct,oct->bo", padded[:, :, i : i + 3], kernel)
    assert block.convolution.bias is not None
    y += block.convolution.bias.detach().numpy()[:, None]
    y = y if is_shortcut else np.maximum(y, 0)
    weights = block.excitation.weigh(torch.tensor(y, dtype=torch.float32)).detach().numpy()
    expected = y * weights[:, :, None] / np.sqrt(1 + block.norm.eps)  # fresh: mean 0, variance 1
    got = block(torch.tensor(x, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_shortcuts_carry_the_input_past_the_convolutions() -> None:
    network = _build().eval()
    x = {"roi": torch.randn(2, 246, 25, generator=torch.Generator().manual_seed(0))}
    before = network.encode(x)
    for block in (network.second, network.third):
        torch.nn.init.zeros_(block.norm.weight)  # nothing passes the main path any more
        torch.nn.init.zeros_(block.norm.bias)
    still = network.encode(x)
    assert not torch.allclose(before, still)
    other = network.encode({"roi": x["roi"].flip(1)})
    assert not torch.allclose(still, other)


def test_attention_is_shown_by_asb_alone_and_lies_between_0_and_1() -> None:
    x = {"roi": torch.randn(5, 246, 25, generator=torch.Generator().manual_seed(0))}
    attention = _build().look(x)["attention"]
    assert attention.shape == (5, 246)
    assert ((attention > 0) & (attention < 1)).all()
    assert not _build(focus=False).look(x)


def test_the_mean_over_time_needs_a_fraction_of_the_weights() -> None:
    assert _n_weights(_build(readout="mean")) < _n_weights(_build()) / 5


def test_it_wants_regions() -> None:
    shapes = Shapes(
        windows=WindowSpec(modalities={"eeg": SignalSpec(ch_names=EEG_15)}), targets={"class": 3}
    )
    with pytest.raises(ConfigError, match=r"regions of interest.*they hold eeg"):
        ASBSettings().build(shapes)
