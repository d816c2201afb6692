"""What every network and its ablations promise, held to each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor
from torch.nn import functional

from offline.features.bands import FOUR_BANDS_HZ
from offline.graphs import BaselineGraph, EncoderGraph, FreeAxis, HeadGraph, check_parity, to_onnx
from offline.models import MODELS, ModelSettings
from offline.models.contract import Features, Network, NetworkSettings, Shapes, SolvedNetwork
from offline.models.mtcnn import FAITHFUL
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_15
from rtaffect.core.spec import FrameSpec, RoiSpec, SignalSpec, VolumeSpec, WindowSpec

MODEL_FILES = Path(__file__).parents[2] / "offline" / "models"
PARTS = {  # of networks
    *("__init__", "contract", "entropies", "linear_head", "readout", "recent", "stfenet"),
}
BOTH = {"valence": 2, "arousal": 3}
P, T, T_MAX = len(EEG_15), 2, 3

RAW = WindowSpec(modalities={"eeg": SignalSpec(ch_names=EEG_15)})
WITH_FACE = WindowSpec(
    modalities={"eeg": SignalSpec(ch_names=EEG_15), "face": FrameSpec(ch_names=FACE_FEATURES)}
)
BANKED = WindowSpec(
    window_s=0.5,
    hop_s=0.5,
    modalities={"eeg": SignalSpec(ch_names=EEG_15, bands_hz=FOUR_BANDS_HZ)},
)
FACE = WindowSpec(modalities={"face": FrameSpec(ch_names=FACE_FEATURES, optional=False)})
REGIONS = WindowSpec(
    window_s=24.0,
    hop_s=2.0,
    closes="roi",
    modalities={"roi": RoiSpec(ch_names=tuple(f"region {i}" for i in range(36)))},
)
VOLUMES = WindowSpec(
    window_s=2.0, hop_s=2.0, closes="volume", modalities={"volume": VolumeSpec(shape=(8, 9, 6))}
)
UNNAMED = {"components", "embedding"}  # what a monitor sees that has no channels


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way of setting up one kind of network; `exports` marks those with a graph of its own."""

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    windows: WindowSpec = RAW
    targets: Mapping[str, int] = field(default_factory=lambda: BOTH)
    exports: bool = False

    def choose(self) -> NetworkSettings:
        return MODELS[self.kind].model_validate({"kind": self.kind, **self.settings})

    def build(self, seed: int = 3) -> Network:
        torch.manual_seed(seed)
        return self.choose().build(Shapes(windows=self.windows, targets=self.targets))


def _dfcn(*, exports: bool = False, windows: WindowSpec = WITH_FACE, **settings: Any) -> Variant:
    return Variant(kind="prior_dfcn", settings=settings, windows=windows, exports=exports)


def _mtcnn(*, exports: bool = False, **settings: Any) -> Variant:
    return Variant(kind="mtcnn", settings=settings, exports=exports)


BANK = {"features": "filter_bank"}
VARIANTS = {
    "DFCN": _dfcn(exports=True),
    "DFCN w/o PKE": _dfcn(prior=False),
    "DFCN w/o NL block": _dfcn(non_local=False),
    "DFCN w/o STFENet": _dfcn(stfenet=False),
    "DFCN baseline": _dfcn(prior=False, stfenet=False),
    "DFCN scores as tokens": _dfcn(face_tokens="scores", connectivity="signal", exports=True),
    "DFCN linear power": _dfcn(power="linear_power"),
    "DFCN without a face": _dfcn(windows=RAW),
    "MT-CNN": _mtcnn(),
    "MT-CNN faithful": Variant(
        kind="mtcnn", settings=FAITHFUL.model_dump(mode="json"), windows=BANKED, exports=True
    ),
    "MT-CNN faithful, theta put right": Variant(
        kind="mtcnn", settings={**BANK, "baseline": "mean"}, windows=BANKED
    ),
    "MT-CNN PSD only": _mtcnn(use_de=False),
    "MT-CNN DE only": _mtcnn(use_psd=False),
    "MT-CNN single task": Variant(kind="mtcnn", targets={"valence": 2}),
    "MT-CNN no dropout": _mtcnn(dropout=0.0),
    "MT-CNN no BN": _mtcnn(batch_norm=False, scale="training", layout="interpolated", exports=True),
    "DGCNN": Variant(kind="dgcnn"),
    "DGCNN of one polynomial": Variant(kind="dgcnn", settings={"order": 1}),
    "DGCNN of three, directed": Variant(
        kind="dgcnn", settings={"order": 3, "symmetric": False}, exports=True
    ),
    "DGCNN on a filter bank": Variant(kind="dgcnn", settings=BANK, windows=BANKED),
    "SVM": Variant(kind="svm", exports=True),
    "SVM linear": Variant(kind="svm", settings={"kernel": "linear"}, exports=True),
    "SVM on a filter bank": Variant(kind="svm", settings=BANK, windows=BANKED),
    "ASB": Variant(kind="asb", windows=REGIONS, exports=True),
    "ASB vanilla": Variant(kind="asb", settings={"focus": False}, windows=REGIONS),
    "ASB small": Variant(
        kind="asb",
        settings={"maps": [8, 16, 32], "readout": "mean", "hidden": [24], "ratio": 4},
        windows=REGIONS,
        exports=True,
    ),
    "3D-CNN": Variant(kind="cnn3d", windows=VOLUMES, exports=True),
    "3D-CNN of every place": Variant(
        kind="cnn3d", settings={"readout": "flatten"}, windows=VOLUMES, exports=True
    ),
    "shared response": Variant(
        kind="shared_response",
        settings={"answer": {"cost": 10.0, "n_components": 12}},
        windows=REGIONS,
        exports=True,
    ),
    "shared response, ordered arousal": Variant(
        kind="shared_response",
        settings={
            "answer": {"cost": 10.0, "n_components": 12},
            "answers": {"arousal": {"solver": "ordinal", "n_components": 9, "penalty": 0.01}},
        },
        windows=REGIONS,
        exports=True,
    ),
    "linear reference": Variant(
        kind="roi_linear", settings={"answer": {"cost": 10.0}}, windows=REGIONS, exports=True
    ),
    "linear reference, one frame, ridge": Variant(
        kind="roi_linear",
        settings={"mean_s": 0, "answer": {"solver": "ridge", "penalty": 0.1}},
        windows=REGIONS,
    ),
    "face": Variant(kind="face_linear", windows=FACE, exports=True),
    "face, ordered arousal": Variant(
        kind="face_linear",
        settings={"answers": {"arousal": {"solver": "ordinal", "penalty": 0.01}}},
        windows=FACE,
    ),
}
EXPORTED = [name for name, variant in VARIANTS.items() if variant.exports]


def windows_of(spec: WindowSpec, n_sequences: int, *, seed: int = 0) -> dict[str, Tensor]:
    """Return T windows a sequence, in which the left side tells valence, the right arousal."""
    generator = torch.Generator().manual_seed(seed)
    labels = {name: x.repeat_interleave(T) for name, x in labels_of(n_sequences).items()}
    n = n_sequences * T
    if "eeg" not in spec.modalities:
        return _alone(spec, labels, n, generator)
    eeg = spec.modalities["eeg"]
    assert isinstance(eeg, SignalSpec)
    n_times = round(spec.window_s * eeg.sfreq)
    data = 10 * torch.randn(n, eeg.n_rows, n_times, generator=generator)
    left = torch.tensor([name[-1] in "1357" for name in EEG_15]).repeat(eeg.n_rows // P)
    right = torch.tensor([name[-1] in "2468" for name in EEG_15]).repeat(eeg.n_rows // P)
    data *= (1 + labels["valence"][:, None] * left)[:, :, None]
    wave = torch.sin(torch.arange(n_times) * 2 * torch.pi * 10 / eeg.sfreq)
    data += 10 * (labels["arousal"][:, None] * right)[:, :, None] * wave
    inputs = {"eeg": data}
    if "face" in spec.modalities:
        n_frames = round(spec.window_s * spec.modalities["face"].sfreq)
        mask = (torch.arange(n) % 5 > 0).float()[:, None].expand(n, n_frames)
        face = torch.randn(n, 29, n_frames, generator=generator)
        face = face + labels["valence"][:, None, None]
        inputs |= {"face": face * mask[:, None], "face_mask": mask.clone()}
    return inputs


def _alone(
    spec: WindowSpec, labels: Mapping[str, Tensor], n: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return frames whose first rows are high with valence, the last with arousal."""
    ((name, wanted),) = spec.modalities.items()
    data = torch.randn(n, wanted.n_rows, round(spec.window_s * wanted.sfreq), generator=generator)
    third = wanted.n_rows // 3
    data[:, :third] += 2 * labels["valence"][:, None, None]
    data[:, -third:] += 2 * labels["arousal"][:, None, None]
    if name != "face":
        return {name: data}
    mask = (torch.rand(n, data.shape[2], generator=generator) > 0.3).float()
    return {"face": data * mask[:, None], "face_mask": mask}


def labels_of(n_sequences: int) -> dict[str, Tensor]:
    number = torch.arange(n_sequences)
    return {"valence": number % 2, "arousal": number % 3}


def features_of(network: Network, inputs: Mapping[str, Tensor]) -> Features:
    """Return features, with what the network takes off of them where it does."""
    features = network.extract(inputs)
    if network.uses_rest:
        quiet = network.extract({name: 0.5 * x[:6] for name, x in inputs.items()})
        rest = network.summarise(quiet)
        features["rest"] = rest.expand(len(inputs["eeg"]), *rest.shape)
    if network.uses_moments:  # everybody felt the same then, and here that repeats after 6 trials
        n_windows = len(next(iter(features.values())))
        n_moments = 6 * T if n_windows > 12 * T else 4
        features["moment"] = torch.arange(n_windows) % n_moments
        features["subject"] = torch.arange(n_windows) // n_moments
    return features


def solve(network: SolvedNetwork, features: Features, targets: Mapping[str, int]) -> None:
    labels = labels_of(len(next(iter(features.values()))) // T)
    network.solve(iter([(features, T)]), {name: labels[name] for name in targets}, seed=0)


@cache
def ready(name: str) -> tuple[Network, Features]:
    """Return a network that could answer, in evaluation mode, and features of 8 sequences."""
    variant = VARIANTS[name]
    network = variant.build()
    features = features_of(network, windows_of(variant.windows, 8))
    network.fit_scales(features)
    if isinstance(network, SolvedNetwork):
        solve(network, features, variant.targets)
    return network.eval(), features


def rows_of(features: Mapping[str, Tensor], rows: slice) -> Features:
    return {name: x[rows] for name, x in features.items()}


@pytest.fixture(params=VARIANTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_network_is_registered_and_held_to_this() -> None:
    assert {path.stem for path in MODEL_FILES.glob("*.py")} == set(MODELS) | PARTS
    assert {variant.kind for variant in VARIANTS.values()} == set(MODELS)


def test_settings_survive_a_recipe(name: str) -> None:
    settings = VARIANTS[name].choose()
    adapter = TypeAdapter(ModelSettings)
    assert adapter.validate_python(settings.model_dump(mode="json")) == settings
    with pytest.raises(ValidationError, match="colour"):
        adapter.validate_python({**settings.model_dump(mode="json"), "colour": "red"})


def test_every_choice_is_said_in_the_card(name: str) -> None:
    said = VARIANTS[name].choose().choices()
    assert len(set(said)) == len(said) >= 3
    assert all(x[0].isupper() and x.endswith(".") and "  " not in x for x in said)


def test_answers_have_the_targets_shape_and_repeat(name: str) -> None:
    network, features = ready(name)
    logits = network(features, T)
    assert {key: tuple(x.shape) for key, x in logits.items()} == {
        key: (8, n) for key, n in VARIANTS[name].targets.items()
    }
    again = network(features, T)
    assert all(torch.equal(logits[key], again[key]) for key in logits)
    assert network.encode(features).shape == (8 * T, *network.slice_shape)


def test_one_seed_gives_one_network_and_another_another(name: str) -> None:
    one, same, other = (VARIANTS[name].build(seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    learns = list(VARIANTS[name].build().parameters())
    assert any(not torch.equal(one[key], other[key]) for key in one) or not learns


def test_a_sequence_does_not_depend_on_its_batch(name: str) -> None:
    network, features = ready(name)
    together, alone = network(features, T), network(rows_of(features, slice(T, 2 * T)), T)
    for key, x in together.items():
        torch.testing.assert_close(x[1:2], alone[key], atol=1e-5, rtol=1e-5)


def test_a_gradient_reaches_every_weight(name: str) -> None:
    network = VARIANTS[name].build()
    features = features_of(network, windows_of(VARIANTS[name].windows, 8))
    network.fit_scales(features)
    weights = dict(network.named_parameters())
    if isinstance(network, SolvedNetwork):
        assert not weights
        return
    loss = sum(x.square().sum() for x in network.train()(features, T).values())
    assert isinstance(loss, Tensor)
    loss.backward()
    assert not [key for key, w in weights.items() if w.grad is None or not w.grad.any()]


def test_it_learns_a_few_sequences_by_heart(name: str) -> None:
    variant = VARIANTS[name]
    network = variant.build()
    # A solver holds some sequences out to find out how sure it may be.
    n_sequences = 24 if isinstance(network, SolvedNetwork) else 8
    labels = {key: x for key, x in labels_of(n_sequences).items() if key in variant.targets}
    features = features_of(network, windows_of(variant.windows, n_sequences))
    network.fit_scales(features)
    if isinstance(network, SolvedNetwork):
        solve(network, features, variant.targets)
        logits = network.eval()(features, T)
        assert all((logits[key].argmax(dim=1) == y).all() for key, y in labels.items())
        return
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    network.train()
    for _ in range(200):
        logits = network(features, T)
        loss = torch.stack(
            [functional.cross_entropy(logits[key], y) for key, y in labels.items()]
        ).mean()
        if loss.item() < 0.05:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05


def test_weights_travel_through_a_file(name: str) -> None:
    network, features = ready(name)
    written = safetensors.torch.save(network.state_dict())
    other = VARIANTS[name].build(seed=99).eval()
    other.load_state_dict(safetensors.torch.load(written))
    expected, got = network(features, T), other(features, T)
    assert all(torch.equal(expected[key], got[key]) for key in expected)


@pytest.mark.parametrize("flat", ["one channel", "everything"])
def test_silence_gives_numbers_and_gradients(name: str, flat: str) -> None:
    network = VARIANTS[name].build()
    inputs = windows_of(VARIANTS[name].windows, 4)
    if flat == "one channel":
        next(iter(inputs.values()))[:, 3] = 7.0
    else:
        inputs = {key: torch.zeros_like(x) for key, x in inputs.items()}
    features = features_of(network, inputs)
    assert all(torch.isfinite(x).all() for x in features.values())
    network.fit_scales(features)
    if isinstance(network, SolvedNetwork):
        solve(network, features, VARIANTS[name].targets)
    logits = network.train()(features, T)
    assert all(torch.isfinite(x).all() for x in logits.values())
    if not isinstance(network, SolvedNetwork):
        torch.stack([x.square().sum() for x in logits.values()]).sum().backward()
        grads = [w.grad for w in network.parameters() if w.grad is not None]
        assert all(torch.isfinite(grad).all() for grad in grads)


def test_scales_are_those_of_the_rows_given_and_of_no_others(name: str) -> None:
    variant = VARIANTS[name]
    network, fresh = variant.build(), variant.build()
    features = features_of(network, windows_of(variant.windows, 8))
    before = {key: x.clone() for key, x in network.state_dict().items()}
    features_of(network, windows_of(variant.windows, 8, seed=5))
    assert all(torch.equal(x, network.state_dict()[key]) for key, x in before.items())
    network.fit_scales(rows_of(features, slice(0, 8)))
    network.fit_scales(rows_of(features, slice(8, 16)))
    fresh.fit_scales(rows_of(features, slice(8, 16)))
    assert all(torch.equal(x, fresh.state_dict()[key]) for key, x in network.state_dict().items())


def test_a_monitor_sees_channels_first(name: str) -> None:
    network, features = ready(name)
    n_rows = {"eeg": P, "roi": REGIONS.modalities["roi"].n_rows}
    expected = n_rows.get(next(iter(VARIANTS[name].windows.modalities)))
    shown = {key: x for key, x in network.look(features).items() if key not in UNNAMED}
    assert all(x.shape[:2] == (8 * T, expected) for x in shown.values())


def test_without_a_modality_is_as_if_it_had_been_missing(name: str) -> None:
    variant = VARIANTS[name]
    network, features = ready(name)
    nobody, everybody = torch.zeros(8 * T, dtype=torch.bool), torch.ones(8 * T, dtype=torch.bool)
    same = network.without("face", dict(features), nobody)
    assert all(torch.equal(same[key], x) for key, x in features.items())
    inputs = windows_of(variant.windows, 8)
    face = variant.windows.modalities.get("face")
    can_lack = [key for key in inputs if key.startswith("face") and face and face.optional]
    faceless = inputs | {key: 0 * inputs[key] for key in can_lack}
    expected = network(features_of(network, faceless), T)
    got = network(network.without("face", dict(features), everybody), T)
    assert all(torch.allclose(expected[key], got[key], atol=1e-6) for key in expected)


def test_equal_extractions_share_features(name: str) -> None:
    _, features = ready(name)
    mine = VARIANTS[name]
    for other, variant in VARIANTS.items():
        if variant.windows is mine.windows and (
            variant.choose().extraction() == mine.choose().extraction()
        ):
            theirs = ready(other)[1]
            same = features.keys() - {"moment", "subject"}  # which do not come of the windows
            assert same == theirs.keys() - {"moment", "subject"}
            assert all(torch.equal(theirs[key], features[key]) for key in same)


@pytest.mark.parametrize("exported", EXPORTED)
def test_the_encoders_graph_answers_as_torch_does(exported: str) -> None:
    network, features = ready(exported)
    inputs = windows_of(VARIANTS[exported].windows, 8)
    if network.uses_rest:
        inputs["rest"] = features["rest"].contiguous()
    graph = EncoderGraph(network, list(inputs), ["slice", *network.look(features)]).eval()
    samples = [{key: x[row : row + 1] for key, x in inputs.items()} for row in range(6)]
    check_parity(graph, to_onnx(graph, samples[0]), samples)


@pytest.mark.parametrize("exported", EXPORTED)
def test_the_heads_graph_answers_as_torch_does_at_every_t(exported: str) -> None:
    network, features = ready(exported)
    slices = network.encode(features).detach()[None]
    graph = HeadGraph(network.head, dict.fromkeys(VARIANTS[exported].targets, 1.3)).eval()
    samples = [{"slices": slices[:, -n:]} for n in range(1, T_MAX + 1)]
    free = FreeAxis(axis=1, name="n_slices", longest=T_MAX)
    check_parity(graph, to_onnx(graph, samples[-1], free=free), samples)


@pytest.mark.parametrize("exported", [name for name in EXPORTED if "faithful" in name])
def test_the_baselines_graph_answers_as_torch_does_for_any_rest(exported: str) -> None:
    network, _ = ready(exported)
    inputs = windows_of(VARIANTS[exported].windows, 5)
    graph = BaselineGraph(network, list(inputs)).eval()
    free = FreeAxis(axis=0, name="n_windows", longest=64)
    samples = [{key: x[:n] for key, x in inputs.items()} for n in (1, 2, 7, 10)]
    check_parity(graph, to_onnx(graph, inputs, free=free), samples)
