import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from offline.models.cnn3d import CNN3D, CNN3DSettings
from offline.models.contract import Shapes
from rtaffect.core.errors import ConfigError
from rtaffect.core.spec import RoiSpec, VolumeSpec, WindowSpec


def _shapes(shape: tuple[int, int, int], *, window_s: float = 2.0) -> Shapes:
    windows = WindowSpec(
        window_s=window_s,
        hop_s=2.0,
        closes="volume",
        modalities={"volume": VolumeSpec(shape=shape)},
    )
    return Shapes(windows=windows, targets={"emotion": 5})


def _build(shape: tuple[int, int, int], **settings: object) -> CNN3D:
    torch.manual_seed(0)
    return CNN3DSettings.model_validate(settings).build(_shapes(shape)).eval()


def test_every_place_takes_139_million_weights_and_the_mean_takes_8_thousand() -> None:
    with torch.device("meta"):  # counted, not allocated
        faithful = _build((132, 175, 48), readout="flatten")
        departure = _build((132, 175, 48))
    assert faithful.hidden.weight.numel() == 33 * 43 * 12 * 64 * 128 == 139_493_376
    assert departure.hidden.weight.numel() == 64 * 128
    convolutions = (27 * 16 + 16) + (27 * 16 * 32 + 32) + (27 * 32 * 64 + 64)
    n_weights = sum(x.numel() for x in departure.parameters())
    assert n_weights == convolutions + (64 * 128 + 128) + (128 * 5 + 5)


def test_convolutions_run_over_the_volume_as_it_lies_in_space() -> None:
    shape = (8, 6, 4)
    network = _build(shape, maps=[1, 1, 1])
    volume = np.random.default_rng(0).normal(size=shape)
    y = volume
    for layer, pools in ((network.first, True), (network.second, True), (network.third, False)):
        kernel = layer.weight.detach().double().numpy()[0, 0]
        assert layer.bias is not None
        y = np.maximum(correlate(y, kernel, mode="constant") + layer.bias.item(), 0)
        if pools:
            x, z, w = (side // 2 for side in y.shape)
            y = y[: 2 * x, : 2 * z, : 2 * w].reshape(x, 2, z, 2, w, 2).max(axis=(1, 3, 5))
    weight = network.hidden.weight.detach().numpy()[:, 0]
    expected = np.maximum(weight * y.mean() + network.hidden.bias.detach().numpy(), 0)
    rows = torch.tensor(volume.reshape(1, -1, 1), dtype=torch.float32)  # C order, one frame
    got = network.encode(network.extract({"volume": rows}))
    np.testing.assert_allclose(got[0].detach().numpy(), expected, atol=1e-6)


def test_the_newest_volume_is_what_counts() -> None:
    network = CNN3DSettings().build(_shapes((4, 4, 4), window_s=6.0))
    frames = torch.randn(2, 64, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network.extract({"volume": frames})["volume"], frames[:, :, 2])


def test_the_mean_does_not_ask_where() -> None:
    shape = (40, 40, 40)  # what the edges do does not reach the blob
    blob = torch.zeros(shape)
    blob[16:18, 16:18, 16:18] = 3.0
    moved = torch.roll(blob, (4, 4, 4), dims=(0, 1, 2))  # a whole number of pools
    both = {"volume": torch.stack([blob, moved]).reshape(2, -1)}
    here, there = _build(shape).encode(both)
    torch.testing.assert_close(here, there)
    here, there = _build(shape, readout="flatten").encode(both)
    assert not torch.allclose(here, there)


def test_it_shows_its_embedding() -> None:
    network = _build((8, 8, 8), n_hidden=7)
    features = {"volume": torch.randn(3, 512, generator=torch.Generator().manual_seed(0))}
    assert torch.equal(network.look(features)["embedding"], network.encode(features))


def test_it_wants_volumes_that_can_be_pooled() -> None:
    with pytest.raises(ConfigError, match="at least 4 voxels along each axis"):
        _build((16, 16, 3))
    regions = WindowSpec(closes="roi", modalities={"roi": RoiSpec(ch_names=("a", "b"))})
    with pytest.raises(ConfigError, match=r"volumes.*they hold roi"):
        CNN3DSettings().build(Shapes(windows=regions, targets={"emotion": 5}))
