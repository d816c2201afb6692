"""What every feature promises, held to each of them: its definition, its graph, its numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
import torch
from scipy import signal, stats
from torch import Tensor, nn

from offline.features import bands, baseline, connectivity, entropy, normalise, topography
from offline.features.prior import CrossModalPrior
from offline.features.spectral import BANDS_HZ, WelchPower
from offline.graphs import FreeAxis, Graph, check_parity, to_onnx
from rtaffect.core.montages import EEG_15, EEG_32

FEATURES = Path(__file__).parents[2] / "offline" / "features"
SFREQ, P, N = 128.0, 5, 6
ZHENG_BANDS_HZ = BANDS_HZ.values()
Arrays = Mapping[str, np.ndarray]


class Plain(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        answer = self.function(*inputs)
        return tuple(answer.values()) if isinstance(answer, dict) else answer


@dataclass(frozen=True, kw_only=True)
class Case:
    """One feature: the module, example inputs of N windows, and its definition in numpy."""

    file: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    reference: Callable[[Arrays], np.ndarray | tuple[np.ndarray, ...]]
    rtol: float = 1e-5
    atol: float = 1e-5
    mixes_windows: bool = False


def _eeg(n_channels: int = P, n_times: int = 384) -> Tensor:
    """Coloured noise as a window of the runtime: high-passed at 1 Hz, tens of microvolts."""
    noise = np.cumsum(np.random.default_rng(1).normal(size=(N, n_channels, 2000)), axis=2)
    sos = signal.butter(2, 1.0, "highpass", fs=SFREQ, output="sos")
    return torch.tensor(10 * signal.sosfilt(sos, noise)[..., -n_times:], dtype=torch.float32)


def _banked(eeg: Tensor) -> Tensor:
    """Return the rows of a causal filter bank, all channels of a band beside each other."""
    rows = [
        signal.sosfilt(signal.butter(3, edges, "bandpass", fs=SFREQ, output="sos"), eeg.numpy())
        for edges in bands.FOUR_BANDS_HZ.values()
    ]
    return torch.tensor(np.concatenate(rows, axis=1)[..., -64:], dtype=torch.float32)


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _density(eeg: np.ndarray, n_per_segment: int, *, how: str) -> np.ndarray:
    freqs, density = signal.welch(eeg.astype(np.float64), SFREQ, nperseg=n_per_segment)
    edges = ZHENG_BANDS_HZ if how == "mean" else bands.FOUR_BANDS_HZ.values()
    parts = [density[..., (low <= freqs) & (freqs < high)] for low, high in edges]
    return np.stack([x.mean(-1) if how == "mean" else x.sum(-1) * freqs[1] for x in parts], axis=-1)


def _entropy(variance: np.ndarray) -> np.ndarray:
    return stats.norm(scale=np.sqrt(variance)).entropy()


def _welch_bands(arrays: Arrays, n_per_segment: int) -> tuple[np.ndarray, np.ndarray]:
    power = _density(arrays["eeg"], n_per_segment, how="integral")
    return _entropy(power), power


def _bank(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    rows = arrays["eeg"].astype(np.float64)
    found = np.empty((2, N, P, 4))
    for band in range(4):
        for channel in range(P):
            samples = rows[:, band * P + channel]
            found[0, :, channel, band] = _entropy(samples.var(axis=1, ddof=1))
            found[1, :, channel, band] = (samples**2).sum(axis=1)
    return found[0], found[1]


def _published_baseline(arrays: Arrays) -> np.ndarray:
    rest = arrays["rest"].astype(np.float64)
    theta = rest[..., 0]
    columns = [theta.mean(axis=0)]
    for band in range(1, rest.shape[-1]):
        own = rest[..., band]
        columns.append((own[0] + own[1] + own[2] + theta[3] + theta[4] + theta[5]) / 6)
    return np.stack(columns, axis=-1)


def _scatter(arrays: Arrays) -> np.ndarray:
    values = arrays["values"]
    maps = np.zeros((N, values.shape[2], 8, 9))
    for row, names in enumerate(topography.GRID):
        for column, name in enumerate(names):
            if name:
                maps[:, :, row, column] = values[:, EEG_32.index(name)]
    return maps


def _mne_map(arrays: Arrays) -> np.ndarray:
    """Interpolate with MNE, as if every pixel inside the head were a bad electrode there."""
    rows, columns = np.indices((8, 9))
    front, right = 1 - (rows + 0.5) / 4, (columns + 0.5) / 4.5 - 1
    inside = front**2 + right**2 <= 1
    angle = np.deg2rad(100) * np.sqrt(front**2 + right**2)
    direction = np.arctan2(front, right)
    pixels = np.stack(
        [np.sin(angle) * np.cos(direction), np.sin(angle) * np.sin(direction), np.cos(angle)], -1
    )[inside]
    places = dict(zip(EEG_15, topography.site_directions(EEG_15), strict=True))
    places |= {f"pixel {i}": place for i, place in enumerate(pixels)}
    info = mne.create_info(list(places), 1.0, "eeg")
    values = arrays["values"].transpose(1, 0, 2).reshape(15, -1)
    data = np.concatenate([values, np.zeros((len(pixels), values.shape[1]))])
    raw = mne.io.RawArray(data, info, verbose="error")
    raw.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"), verbose="error")
    raw.info["bads"] = list(places)[15:]
    raw.interpolate_bads(origin=(0.0, 0.0, 0.0), verbose="error")
    maps = np.zeros((N, values.shape[1] // N, 8, 9))
    maps[..., inside] = raw.get_data()[15:].reshape(len(pixels), N, -1).transpose(1, 2, 0)
    return maps


def _prior(arrays: Arrays, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    q_e, k_e = (arrays["eeg"] @ weights[f"{name}_eeg.weight"].T for name in ("query", "key"))
    tokens = arrays["face"] @ weights["to_tokens.weight"].T + weights["to_tokens.bias"]
    tokens = tokens.reshape(N, P, 5)
    q_f, k_f = (tokens @ weights[f"{name}_face.weight"].T for name in ("query", "key"))
    scores = (q_e @ k_f.transpose(0, 2, 1) + q_f @ k_e.transpose(0, 2, 1)) / np.sqrt(8)
    seen = arrays["has_face"][:, None, None] > 0
    return np.where(seen, np.logaddexp(0, scores), 1)


def _fitted(scale: nn.Module, training: Tensor) -> nn.Module:
    scale.fit(training)
    return scale


def _standardised(x: np.ndarray, training: Tensor, axes: tuple[int, ...]) -> np.ndarray:
    known = training.numpy().astype(np.float64)
    return (x - known.mean(axis=axes)) / known.std(axis=axes)


def _cases() -> dict[str, Case]:
    eeg, banked, values = _eeg(), _banked(_eeg()), _random(N, 32, 3)
    torch.manual_seed(0)
    prior = CrossModalPrior(n_channels=P, n_bands=5, n_face=29)
    weights = {name: w.detach().numpy() for name, w in prior.named_parameters()}
    mask = (_random(N, 20, seed=3) > 0).float() * (torch.arange(N) != 2).float()[:, None]
    rest = _random(6, 2, P, 4)
    powers = _random(40, P, 5, seed=5).exp()
    return {
        "band power": Case(
            file="spectral",
            module=WelchPower(sfreq=SFREQ),
            inputs={"eeg": eeg},
            reference=lambda x: _density(x["eeg"], 128, how="mean"),
        ),
        "Pearson's r": Case(
            file="connectivity",
            module=Plain(connectivity.pearson),
            inputs={"eeg": eeg},
            reference=lambda x: np.stack([np.corrcoef(window) for window in x["eeg"]]),
        ),
        "log powers": Case(
            file="normalise",
            module=_fitted(normalise.PowerScale(n_bands=5), powers),
            inputs={"power": powers[:N]},
            reference=lambda x: (
                (np.log(x["power"]) - np.log(powers.numpy()).mean(axis=(0, 1)))
                / np.log(powers.numpy()).std(axis=(0, 1), ddof=1)
            ),
        ),
        "standardised features": Case(
            file="normalise",
            module=_fitted(normalise.FeatureScale(shape=(P, 5)), powers),
            inputs={"features": powers[:N]},
            reference=lambda x: np.clip(_standardised(x["features"], powers, (0,)), -5, 5),
        ),
        "standardised face": Case(
            file="normalise",
            module=_fitted(normalise.FaceScale(n_face=5), powers[:, 0]),
            inputs={"means": powers[:N, 0]},
            reference=lambda x: np.clip(_standardised(x["means"], powers[:, 0], (0,)), -5, 5),
        ),
        "z scores": Case(
            file="normalise",
            module=Plain(normalise.z_scores),
            inputs={"vectors": powers[:N]},
            reference=lambda x: stats.zscore(x["vectors"].astype(np.float64), axis=-1),
        ),
        "means of valid frames": Case(
            file="normalise",
            module=Plain(normalise.masked_mean),
            inputs={"frames": _random(N, 29, 20, seed=2), "mask": mask},
            reference=lambda x: (
                np.stack(
                    [
                        f[:, m > 0].mean(axis=1) if m.any() else np.zeros(29)
                        for f, m in zip(x["frames"], x["mask"], strict=True)
                    ]
                ),
                x["mask"].any(axis=1).astype(float),
            ),
        ),
        "means and deviations of valid frames": Case(
            file="normalise",
            module=Plain(normalise.masked_spread),
            inputs={"frames": 3 + _random(N, 29, 20, seed=2), "mask": mask},
            reference=lambda x: tuple(
                np.stack(
                    [
                        of(f[:, m > 0], axis=1) if m.any() else np.zeros(29)
                        for f, m in zip(x["frames"].astype(np.float64), x["mask"], strict=True)
                    ]
                )
                for of in (np.mean, np.std)
            ),
        ),
        "prior": Case(
            file="prior",
            module=prior,
            inputs={
                "eeg": _random(N, P, 5),
                "face": _random(N, 29),
                "has_face": (torch.arange(N) % 3 > 0).float(),
            },
            reference=lambda x: _prior(x, weights),
        ),
        "differential entropy": Case(
            file="entropy",
            module=Plain(entropy.differential_entropy),
            inputs={"variance": powers[:N]},
            reference=lambda x: _entropy(x["variance"]),
        ),
        "bands of a filter bank": Case(
            file="bands",
            module=Plain(bands.FilterBankBands(n_bands=4)),
            inputs={"eeg": banked},
            reference=_bank,
        ),
        "bands of a spectrum": Case(
            file="bands",
            module=Plain(bands.WelchBands(sfreq=SFREQ, n_times=384)),
            inputs={"eeg": eeg},
            reference=lambda x: _welch_bands(x, 128),
        ),
        "bands of a spectrum of half a second": Case(
            file="bands",
            module=Plain(bands.WelchBands(sfreq=SFREQ, n_times=64)),
            inputs={"eeg": eeg[..., -64:]},
            reference=lambda x: _welch_bands(x, 64),
        ),
        "mean at rest": Case(
            file="baseline",
            module=Plain(baseline.mean_at_rest),
            inputs={"rest": rest},
            reference=lambda x: sum(x["rest"]) / 6,
            mixes_windows=True,
        ),
        "mean at rest with theta": Case(
            file="baseline",
            module=Plain(baseline.mean_at_rest_with_theta),
            inputs={"rest": rest},
            reference=_published_baseline,
            mixes_windows=True,
        ),
        "map on the grid": Case(
            file="topography",
            module=topography.Topography(EEG_32),
            inputs={"values": values},
            reference=_scatter,
        ),
        "interpolated map": Case(
            file="topography",
            module=topography.Topography(EEG_15, layout="interpolated"),
            inputs={"values": values[:, :15]},
            reference=_mne_map,
        ),
    }


CASES = _cases()


def _answers(case: Case, inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    with torch.no_grad():
        answer = case.module.eval()(*inputs.values())
    return answer if isinstance(answer, tuple) else (answer,)


def test_every_file_of_features_is_held_to_this() -> None:
    files = {path.stem for path in FEATURES.glob("*.py")} - {"__init__"}
    assert files == {case.file for case in CASES.values()}


@pytest.mark.parametrize("name", CASES)
def test_a_feature_is_what_its_definition_says(name: str) -> None:
    case = CASES[name]
    expected = case.reference({key: x.numpy() for key, x in case.inputs.items()})
    expected = expected if isinstance(expected, tuple) else (expected,)
    for got, wanted in zip(_answers(case, case.inputs), expected, strict=True):
        np.testing.assert_allclose(got.numpy(), wanted, rtol=case.rtol, atol=case.atol)


class FeatureGraph(Graph):
    """A case's module as a graph."""

    def __init__(self, case: Case) -> None:
        outputs = [f"output_{i}" for i in range(len(_answers(case, case.inputs)))]
        super().__init__(list(case.inputs), outputs)
        self.module = case.module

    def compute(self, given: dict[str, Tensor]) -> Mapping[str, Tensor]:
        answer = self.module(*given.values())
        answers = answer if isinstance(answer, tuple) else (answer,)
        return dict(zip(self.outputs, answers, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_its_graph_answers_as_torch_does(name: str) -> None:
    case = CASES[name]
    graph = FeatureGraph(case).eval()
    free = FreeAxis(axis=0, name="n_windows", longest=64) if case.mixes_windows else None
    counts = (1, 2, 5, N) if case.mixes_windows else (N,)
    samples = [{key: x[:n] for key, x in case.inputs.items()} for n in counts]
    check_parity(graph, to_onnx(graph, case.inputs, free=free), samples)


@pytest.mark.parametrize("name", [name for name in CASES if not CASES[name].mixes_windows])
def test_a_window_does_not_depend_on_its_batch(name: str) -> None:
    case = CASES[name]
    alone = _answers(case, {key: x[3:4] for key, x in case.inputs.items()})
    for many, one in zip(_answers(case, case.inputs), alone, strict=True):
        torch.testing.assert_close(many[3:4], one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 42.0])
@pytest.mark.parametrize("name", CASES)
def test_silence_and_constants_give_numbers(name: str, value: float) -> None:
    case = CASES[name]
    flat = {key: torch.full_like(x, value) for key, x in case.inputs.items()}
    assert all(torch.isfinite(x).all() for x in _answers(case, flat))
