import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import signal
from torch.nn import functional

from offline.features.bands import FOUR_BANDS_HZ
from offline.features.topography import GRID
from offline.models.contract import Shapes
from offline.models.mtcnn import FAITHFUL, LIVE, MTCNN, MTCNNSettings
from rtaffect.core.errors import ConfigError
from rtaffect.core.montages import EEG_15, EEG_32
from rtaffect.core.spec import SignalSpec, WindowSpec

BOTH = {"valence": 2, "arousal": 2}
BANKED = WindowSpec(
    window_s=0.5,
    hop_s=0.5,
    modalities={"eeg": SignalSpec(ch_names=EEG_32, bands_hz=FOUR_BANDS_HZ)},
)
RAW = WindowSpec(modalities={"eeg": SignalSpec(ch_names=EEG_32)})


def _faithful(**changes: object) -> MTCNN:
    torch.manual_seed(0)
    settings = FAITHFUL.model_copy(update=changes)
    return settings.build(Shapes(windows=BANKED, targets=BOTH)).eval()


def _filtered(seconds: float, *, seed: int) -> np.ndarray:
    """Return a bank's samples, shape (n_bands, n_channels, n_times), of pink-ish noise."""
    rng = np.random.default_rng(seed)
    noise = 3 * np.cumsum(rng.normal(size=(32, round(seconds * 128) + 640)), axis=1)
    rows = [
        signal.lfilter(*signal.butter(3, edges, "bandpass", fs=128), noise)[:, 640:]
        for edges in FOUR_BANDS_HZ.values()
    ]
    return np.stack(rows)


def _windows(filtered: np.ndarray) -> torch.Tensor:
    """Return windows of half a second as the runtime hands them over, band after band."""
    n_windows = filtered.shape[2] // 64
    cut = filtered.reshape(128, n_windows, 64).transpose(1, 0, 2)
    return torch.tensor(cut, dtype=torch.float32)


def test_the_published_networks_have_as_many_weights() -> None:
    # Keras counts 1 213 956 trainable weights; a single task has one head of 1 026 less.
    assert sum(w.numel() for w in _faithful().parameters()) == 1_213_956
    single = LIVE.build(Shapes(windows=RAW, targets={"valence": 2}))
    assert sum(w.numel() for w in single.parameters()) == 1_213_956 - 1_026


def test_features_are_those_of_the_published_code() -> None:
    """Written again from its description: vectors of 128, baseline, z-score, map, DE then PSD."""
    model = _faithful()
    rest, trial = _filtered(3, seed=1), _filtered(2, seed=2)
    features = model.extract({"eeg": _windows(trial)})
    at_rest = model.summarise(model.extract({"eeg": _windows(rest)}))
    features["rest"] = at_rest.expand(4, *at_rest.shape)
    seen: list[torch.Tensor] = []
    model.trunk[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model.encode(features)

    def describe(x: np.ndarray, how: str) -> float:
        if how == "DE":
            return float(np.log(2 * np.pi * np.e * np.var(x, ddof=1)) / 2)
        return float((x**2).sum())

    for window in range(4):
        for first_map, how in ((0, "DE"), (4, "PSD")):
            vector = np.empty(128)
            for band in range(4):
                for channel in range(32):
                    cuts = [slice(64 * i, 64 * i + 64) for i in range(6)]
                    own = [describe(rest[band, channel, cut], how) for cut in cuts[:3]]
                    theta = [describe(rest[0, channel, cut], how) for cut in cuts[3:]]
                    value = describe(trial[band, channel, cuts[window]], how)
                    vector[32 * band + channel] = value - sum(own + theta) / 6
            vector = (vector - vector.mean()) / vector.std()
            for band in range(4):
                expected = np.zeros((8, 9))
                for channel, name in enumerate(EEG_32):
                    where = next((r, row.index(name)) for r, row in enumerate(GRID) if name in row)
                    expected[where] = vector[32 * band + channel]
                got = seen[0][window, first_map + band].numpy()
                np.testing.assert_allclose(got, expected, atol=2e-4)


def test_the_layers_are_those_of_the_published_code() -> None:
    model = _faithful().double()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    weights = dict(model.trunk.named_parameters())
    layers = dict(model.trunk.named_buffers())

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var = layers[f"{name}.running_mean"], layers[f"{name}.running_var"]
        shape = (1, -1, 1, 1) if x.ndim == 4 else (1, -1)
        x = (x - mean.reshape(shape)) / (var.reshape(shape) + 1e-3).sqrt()
        w, b = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return x * w.reshape(shape) + b.reshape(shape)

    def same(x: torch.Tensor, name: str) -> torch.Tensor:
        """Convolve with TensorFlow's "same": one pixel more at the bottom and the right."""
        w, b = weights[f"{name}.weight"], weights[f"{name}.bias"]
        k = w.shape[2] - 1
        return functional.conv2d(functional.pad(x, (k // 2, k - k // 2) * 2), w, b).relu()

    names = [name for name, _ in model.trunk.named_children()]
    kinds = {name: type(x).__name__ for name, x in model.trunk.named_children()}
    convolutions = [name for name in names if kinds[name] == "Conv2d"]
    norms = [name for name in names if kinds[name].startswith("BatchNorm")]
    x = maps = torch.randn(3, 8, 8, 9, dtype=torch.float64)
    for convolution, closing in zip(convolutions[:3], norms[:3], strict=True):
        x = norm(same(x, convolution), closing)
    x = norm(functional.max_pool2d(same(x, convolutions[3]), 2), norms[3])
    dense = next(name for name in names if kinds[name] == "Linear")
    x = x.flatten(1) @ weights[f"{dense}.weight"].T + weights[f"{dense}.bias"]
    expected = norm(x.relu(), norms[4])
    torch.testing.assert_close(model.trunk(maps), expected)


def test_several_windows_are_answered_from_their_mean() -> None:
    head = _faithful().head
    slices = torch.randn(2, 3, 512)
    torch.testing.assert_close(
        head(slices)["valence"], head(slices.mean(dim=1, keepdim=True))["valence"]
    )


def test_scales_of_the_training_set_are_taken_after_the_baseline() -> None:
    model = _faithful(scale="training", baseline="mean")
    features = {name: 5 + torch.randn(50, 32, 4) for name in ("entropy", "power")}
    features["rest"] = torch.full((50, 2, 32, 4), 5.0)
    model.fit_scales(features)
    expected = features["entropy"].mean(dim=0) - 5
    torch.testing.assert_close(model.scales["entropy"].mean, expected, atol=1e-4, rtol=1e-4)


def test_a_recipe_that_does_not_suit_its_windows_is_refused() -> None:
    with pytest.raises(ConfigError, match="with a filter bank, got bands_hz: none"):
        FAITHFUL.build(Shapes(windows=RAW, targets=BOTH))
    with pytest.raises(ConfigError, match="without a filter bank"):
        LIVE.build(Shapes(windows=BANKED, targets=BOTH))
    with pytest.raises(ValidationError, match="use_de or use_psd"):
        MTCNNSettings(use_de=False, use_psd=False)
    other = {"alpha": (8.0, 14.0), "beta": (14.0, 31.0)}
    windows = WindowSpec(
        window_s=0.5, modalities={"eeg": SignalSpec(ch_names=EEG_15, bands_hz=other)}
    )
    with pytest.raises(ConfigError, match="theta as the first band"):
        FAITHFUL.build(Shapes(windows=windows, targets=BOTH))
