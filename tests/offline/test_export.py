"""What is exported answers as torch does; what is leaky is stamped; the runtime runs it."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from offline.datasets.windows import input_names
from offline.export import RestWanted, export_bundle
from offline.graphs import EncoderGraph, FreeAxis, HeadGraph, check_parity, to_onnx
from offline.models.contract import Features, Network, NetworkSettings, Shapes, SolvedNetwork
from offline.models.mtcnn import FAITHFUL
from offline.models.prior_dfcn import PriorDFCNSettings
from offline.models.svm import SVMSettings
from rtaffect.bundle import Bundle
from rtaffect.core.errors import BundleError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_15, EEG_32
from rtaffect.core.spec import FrameSpec, SignalSpec, WindowSpec
from rtaffect.core.window import Flag, Window
from rtaffect.decode.baseline import BaselineMaker
from rtaffect.decode.decoder import Decoder
from rtaffect.decode.inputs import encoder_inputs
from rtaffect.decode.session import GraphRunner
from rtaffect.manifest import DataSet, Metric, Target, Training
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource
from rtaffect.windows import open_windows

TARGETS = {"valence": 2, "arousal": 3}
BANDS_HZ = {"theta": (4.0, 8.0), "alpha": (8.0, 14.0), "beta": (14.0, 31.0), "gamma": (31.0, 45.0)}
T_MAX, N_WINDOWS = 3, 6


def _spec(kind: str) -> WindowSpec:
    eeg, face = SignalSpec(ch_names=EEG_15), FrameSpec(ch_names=FACE_FEATURES)
    match kind:
        case "eeg":
            return WindowSpec(hop_s=1.0, modalities={"eeg": eeg})
        case "face":
            return WindowSpec(hop_s=1.0, modalities={"eeg": eeg, "face": face})
        case _:
            banked = SignalSpec(ch_names=EEG_32, bands_hz=BANDS_HZ, reference="none")
            return WindowSpec(window_s=0.5, hop_s=0.5, modalities={"eeg": banked})


@cache
def _windows(kind: str) -> tuple[Window, ...]:
    """Settled windows of a simulated participant, from the runtime's own chain."""
    spec, t_start = _spec(kind), 1000.0
    with SimulatedSource(Participant(5), 16.0, chunk_s=0.25, t_start=t_start) as source:
        windows = [w for w in open_windows(source, spec) if w.t_start > t_start + 5.0]
    whole = tuple(w for w in windows if all(part.usable for part in w.modalities.values()))
    assert len(whole) >= N_WINDOWS
    return whole


def _examples(kind: str, n_windows: int = N_WINDOWS) -> dict[str, Tensor]:
    rows = [encoder_inputs(w, input_names(_spec(kind))) for w in _windows(kind)[:n_windows]]
    return {name: torch.from_numpy(np.concatenate([row[name] for row in rows])) for name in rows[0]}


class Powers(Network):
    """Log power of each row, less that at rest; a linear head on the mean."""

    slice_shape = (15,)

    def __init__(self, *, uses_rest: bool, t_max: int = 64) -> None:
        super().__init__()
        self.uses_rest, self.t_max = uses_rest, t_max
        self.head = _MeanLinear(15)

    def extract(self, inputs: Mapping[str, Tensor]) -> Features:
        return {"power": inputs["eeg"].square().mean(dim=2).log1p()}

    def fit_scales(self, features: Mapping[str, Tensor]) -> None:
        del features

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        return features["power"] - (features["rest"] if self.uses_rest else 0.0)

    def look(self, features: Mapping[str, Tensor]) -> Features:
        return {"power": features["power"]}

    def summarise(self, features: Mapping[str, Tensor]) -> Tensor:
        return features["power"].mean(dim=0)

    def without(self, modality: str, features: Features, rows: Tensor) -> Features:
        if modality != "rest":
            return features
        usual = torch.full_like(features["rest"], 3.0)
        return features | {"rest": torch.where(rows[:, None], usual, features["rest"])}


class _MeanLinear(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({k: nn.Linear(n, n_classes) for k, n_classes in TARGETS.items()})

    def forward(self, slices: Tensor) -> dict[str, Tensor]:
        return {name: head(slices.mean(dim=1)) for name, head in self.heads.items()}


def _targets(temperature: float = 1.7) -> dict[str, Target]:
    return {
        name: Target(
            classes=tuple("abc"[:n]), prior=(1 / n,) * n, skill=0.2, temperature=temperature
        )
        for name, n in TARGETS.items()
    }


def _training(*, leaky: bool = False, checkpoint: str = "validation") -> Training:
    return Training(
        command="by hand",
        recipe={},
        versions={},
        participants={"train": ("a", "b"), "validation": ("c",), "test": ("d",)},
        n_sequences={},
        metrics={"valence": {"balanced_accuracy": Metric(value=0.6, ci_low=0.5, ci_high=0.7)}},
        data=DataSet(kind="simulated", title="Simulated", simulated=True),
        protocol={"kind": "loso"},
        leaky=leaky,
        checkpoint=checkpoint,
    )


def _export(network: Network, folder: Path, kind: str, **changes: object) -> Bundle:
    settings: dict[str, object] = {
        "shapes": Shapes(windows=_spec(kind), targets=TARGETS),
        "name": "mine",
        "title": "Mine",
        "summary": "For tests.",
        "choices": ("One.", "Another."),
        "t_min": 1,
        "t_max": T_MAX,
        "targets": _targets(),
        "training": _training(),
        "examples": _examples(kind),
    }
    return export_bundle(network, folder, **(settings | changes))


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    torch.manual_seed(0)


def _shake(network: Network) -> Network:
    """Give normalisers statistics that are not those of a fresh network."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return network


NETWORKS: dict[str, tuple[NetworkSettings, str]] = {
    "prior-driven DFCN": (PriorDFCNSettings(), "face"),
    "MT-CNN, faithful": (FAITHFUL, "bank"),
    "SVM": (SVMSettings(), "eeg"),
}


@pytest.mark.parametrize("which", NETWORKS)
def test_a_decoder_of_the_bundle_answers_as_the_network_does(which: str, tmp_path: Path) -> None:
    settings, kind = NETWORKS[which]
    network = _shake(settings.build(Shapes(windows=_spec(kind), targets=TARGETS)))
    examples = _examples(kind)
    features = network.extract(examples)
    rest = network.summarise(features) if network.uses_rest else None
    if rest is not None:
        features["rest"] = rest.expand(len(examples["eeg"]), *rest.shape)
    network.fit_scales(features)
    if isinstance(network, SolvedNetwork):
        labels = {name: torch.arange(N_WINDOWS) % n for name, n in TARGETS.items()}
        network.solve(iter([(features, 1)]), labels, seed=0)
    bundle = _export(network, tmp_path / "mine", kind)
    baseline = None
    if rest is not None:
        maker = BaselineMaker(bundle, provider="cpu")
        for window in _windows(kind)[:N_WINDOWS]:
            assert maker.push(window)
        baseline = maker.finish()
        np.testing.assert_allclose(baseline.array_for(bundle), rest, rtol=1e-5)
    decoder = Decoder(bundle, provider="cpu", baseline=baseline)
    step = bundle.manifest.slice_step
    with torch.no_grad():
        slices = network.encode(features)
    for i, window in enumerate(_windows(kind)[:N_WINDOWS]):
        estimate = decoder.decode(window).estimate
        run = list(range(i, -1, -step))[:T_MAX][::-1]
        assert estimate.n_slices == len(run)
        with torch.no_grad():
            logits = network.head(slices[run][None])
        for name, x in logits.items():
            expected = torch.softmax(x / 1.7, dim=1)[0]
            np.testing.assert_allclose(estimate.targets[name].probabilities, expected, atol=1e-5)


def test_the_manifest_says_what_the_graphs_are(tmp_path: Path) -> None:
    manifest = _export(Powers(uses_rest=True), tmp_path / "mine", "face").manifest
    assert manifest.simulated
    assert manifest.slices.shape == (15,)
    assert set(manifest.graphs.encoder.inputs) == {"eeg", "face", "face_mask", "rest"}
    assert manifest.graphs.encoder.outputs["power"].labels == "eeg"
    assert manifest.graphs.encoder.inputs["face_mask"].labels == ""
    assert manifest.rest is not None
    assert (manifest.rest.shape, manifest.rest.required) == ((15,), True)
    assert manifest.targets["valence"].skill == 0.2
    assert manifest.training.data is not None
    for graph in manifest.graphs.by_role.values():
        data = (tmp_path / "mine" / graph.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == graph.sha256
        assert b".py" not in data


def test_a_network_of_single_windows_has_the_same_two_graphs(tmp_path: Path) -> None:
    bundle = _export(Powers(uses_rest=False, t_max=1), tmp_path / "one", "eeg", t_max=1)
    assert set(bundle.manifest.graphs.by_role) == {"encoder", "head"}
    decoder = Decoder(bundle, provider="cpu")
    assert [decoder.decode(w).estimate.n_slices for w in _windows("eeg")[:4]] == [1, 1, 1, 1]


def test_what_stands_for_a_baseline_that_may_lack_is_in_the_graph(tmp_path: Path) -> None:
    network = Powers(uses_rest=True)
    bundle = _export(network, tmp_path / "mine", "eeg", rest=RestWanted(min_s=5.0, required=False))
    assert set(bundle.manifest.graphs.encoder.inputs) == {"eeg", "rest", "has_rest"}
    assert bundle.manifest.rest is not None
    assert bundle.manifest.rest.min_windows == 2
    window = _windows("eeg")[0]
    estimate = Decoder(bundle, provider="cpu").decode(window).estimate
    assert ("baseline", Flag.MISSING) in estimate.flags
    power = network.extract({"eeg": torch.from_numpy(window.modalities["eeg"].data)[None]})["power"]
    with torch.no_grad():
        logits = network.head((power - 3.0)[None])["valence"]
    expected = torch.softmax(logits / 1.7, dim=1)[0]
    np.testing.assert_allclose(estimate.targets["valence"].probabilities, expected, atol=1e-5)


def test_what_is_leaky_is_stamped_and_weighs_nothing(tmp_path: Path) -> None:
    training = _training(leaky=True, checkpoint="best_test")
    manifest = _export(Powers(uses_rest=False), tmp_path / "x", "eeg", training=training).manifest
    assert manifest.training.leaky
    assert manifest.title == "[LEAKY] Mine"
    assert manifest.description.startswith("LEAKY: ")
    assert manifest.targets["valence"].skill == 0.0


@pytest.mark.parametrize(
    "change",
    [
        {"eeg": torch.zeros(5, 15, 383)},
        {"eeg": torch.zeros(5, 14, 384)},
        {"eeg": torch.zeros(2, 15, 384)},
        {"eeg": torch.zeros(5, 15, 384), "face": torch.zeros(5, 29, 96)},
        {},
    ],
)
def test_examples_that_do_not_fit_are_refused(tmp_path: Path, change: dict[str, Tensor]) -> None:
    with pytest.raises(BundleError, match="Examples must be at least 3 windows"):
        _export(Powers(uses_rest=False), tmp_path / "x", "eeg", examples=change)
    assert not (tmp_path / "x").exists()


def test_a_network_that_says_something_else_than_its_targets_is_refused(tmp_path: Path) -> None:
    targets = {"valence": _targets()["arousal"]}
    with pytest.raises(BundleError, match=r"valence must have shape \(1, 3\)"):
        _export(Powers(uses_rest=False), tmp_path / "x", "eeg", targets=targets)


class _Counting(Powers):
    """Looks at how many numbers there are: what no graph of fixed shape can do."""

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        loud = features["power"][features["power"] > 1.0]
        return features["power"] * torch.linalg.eigvals(loud.outer(loud)).real.sum()


def test_what_onnx_does_not_know_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be exported to ONNX"):
        _export(_Counting(uses_rest=False), tmp_path / "x", "eeg")


@pytest.mark.parametrize(
    ("n_channels", "settings"),
    [(32, {}), (15, {"maps": (4,), "stem_stride": 1, "pool": (2, 2), "readout": "mean"})],
)
def test_the_exported_head_answers_as_torch_does_at_every_t(
    n_channels: int, settings: dict[str, object]
) -> None:
    spec = WindowSpec(modalities={"eeg": SignalSpec(ch_names=EEG_32[:n_channels])})
    network = PriorDFCNSettings.model_validate(settings).build(
        Shapes(windows=spec, targets=TARGETS)
    )
    head = HeadGraph(network.head, {"arousal": 1.7, "valence": 0.6}).eval()
    example = torch.randn(1, 6, n_channels, n_channels)
    free = FreeAxis(axis=1, name="n_slices", longest=6)
    graph = to_onnx(head, {"slices": example}, free=free)
    for n_slices in range(1, 7):
        slices = torch.randn(1, n_slices, n_channels, n_channels)
        assert check_parity(head, graph, [{"slices": slices}]) <= 1e-5


def test_a_flat_channel_gives_zeros_and_no_nan_in_the_exported_encoder() -> None:
    network = PriorDFCNSettings().build(Shapes(windows=_spec("eeg"), targets=TARGETS))
    encoder = EncoderGraph(network, ("eeg",), ("slice", "band_power", "prior")).eval()
    eeg = 10 * torch.randn(1, 15, 384)
    graph = to_onnx(encoder, {"eeg": eeg})
    eeg[0, 3] = 0.0
    got = GraphRunner(graph, name="e", provider="cpu").run({"eeg": eeg.numpy()}, encoder.outputs)
    assert all(np.isfinite(array).all() for array in got.values())
    assert not got["slice"][0, 3].any()
    assert not got["slice"][0, :, 3].any()


def test_a_graph_that_answers_otherwise_is_refused() -> None:
    head = HeadGraph(_MeanLinear(15), {"valence": 1.0})
    free = FreeAxis(axis=1, name="n_slices", longest=4)
    graph = to_onnx(head, {"slices": torch.randn(1, 4, 15)}, free=free)
    other = HeadGraph(head.head, {"valence": 2.0})
    with pytest.raises(BundleError, match=r"as torch does.*'valence' of HeadGraph"):
        check_parity(other, graph, [{"slices": 9 * torch.randn(1, 2, 15)}])
    assert check_parity(head, graph, [{"slices": torch.randn(1, 2, 15)}]) <= 1e-5


def test_what_is_no_number_is_refused() -> None:
    head = HeadGraph(_MeanLinear(15), {"valence": 1.0})
    free = FreeAxis(axis=1, name="n_slices", longest=4)
    graph = to_onnx(head, {"slices": torch.randn(1, 4, 15)}, free=free)
    with pytest.raises(BundleError, match="as torch does"):
        check_parity(head, graph, [{"slices": torch.full((1, 2, 15), torch.nan)}])


def test_only_a_modality_that_may_be_missing_has_a_mask() -> None:
    assert input_names(_spec("eeg")) == ("eeg",)
    assert input_names(_spec("face")) == ("eeg", "face", "face_mask")
