import numpy as np
import pytest
import torch

from offline.datasets.participant import input_names
from offline.export import ENCODER_OUTPUTS, EncoderGraph, HeadGraph, _to_onnx, check_parity
from offline.models.prior_dfcn import PriorDFCN, PriorDFCNSettings
from rtaffect.core.errors import BundleError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.spec import FrameSpec, SignalSpec, WindowSpec
from rtaffect.decode.session import GraphRunner

T_MAX = 6
TARGETS = {"valence": 2, "arousal": 2}


def _model(n_channels: int, *, face: bool = False, **settings: object) -> PriorDFCN:
    torch.manual_seed(0)
    return PriorDFCN(
        PriorDFCNSettings(**settings),
        n_channels=n_channels,
        n_face=len(FACE_FEATURES) if face else 0,
        sfreq=128.0,
        targets=TARGETS,
    ).eval()


@pytest.mark.parametrize(
    ("n_channels", "settings"),
    [
        (32, {}),
        (15, {"maps": (4,), "stem_stride": 1, "pool": (2, 2), "readout": "mean"}),
        (15, {"non_local": False, "readout": "global"}),
        (15, {"stfenet": False}),
    ],
)
def test_the_exported_head_answers_as_torch_does_at_every_t(
    n_channels: int, settings: dict[str, object]
) -> None:
    head = HeadGraph(_model(n_channels, **settings).head, {"arousal": 1.7, "valence": 0.6})
    example = torch.randn(1, T_MAX, n_channels, n_channels)
    graph = _to_onnx(head, [example], ["slices"], ["arousal", "valence"], t_max=T_MAX)
    runner = GraphRunner(graph, name="head", provider="cpu")
    for n_slices in range(1, T_MAX + 1):
        slices = torch.randn(1, n_slices, n_channels, n_channels)
        got = runner.run({"slices": slices.numpy()}, ("arousal", "valence"))
        logits = head.head(slices)
        for name, temperature in (("arousal", 1.7), ("valence", 0.6)):
            expected = torch.softmax(logits[name] / temperature, 1).detach().numpy()
            np.testing.assert_allclose(got[name], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("connectivity", "face_tokens"), [("band_power", "features"), ("signal", "scores")]
)
def test_the_exported_encoder_answers_as_torch_does(connectivity: str, face_tokens: str) -> None:
    model = _model(32, face=True, connectivity=connectivity, face_tokens=face_tokens)
    model.encoder.power_scale.fit(torch.rand(10, 32, 5) + 0.1)
    model.encoder.face_scale.fit(torch.randn(10, 29))
    encoder = EncoderGraph(model.encoder).eval()
    eeg, face = 10 * torch.randn(1, 32, 384), torch.randn(1, 29, 96)
    names = ["eeg", "face", "face_mask"]
    graph = _to_onnx(encoder, [eeg, face, torch.ones(1, 96)], names, ENCODER_OUTPUTS)
    for share in (0.0, 0.4, 1.0):
        mask = (torch.rand(1, 96) < share).float()
        sample = {"eeg": eeg, "face": face * mask.unsqueeze(1), "face_mask": mask}
        assert check_parity(encoder, graph, [sample], ENCODER_OUTPUTS) <= 1e-5
        prior = GraphRunner(graph, name="e", provider="cpu").run(
            {name: value.numpy() for name, value in sample.items()}, ("prior",)
        )["prior"]
        assert (prior == 1).all() == (share == 0.0)


def test_a_flat_channel_gives_zeros_and_no_nan_in_the_exported_encoder() -> None:
    encoder = EncoderGraph(_model(15).encoder).eval()
    eeg = 10 * torch.randn(1, 15, 384)
    graph = _to_onnx(encoder, [eeg], ["eeg"], ENCODER_OUTPUTS)
    eeg[0, 3] = 0.0
    got = GraphRunner(graph, name="e", provider="cpu").run({"eeg": eeg.numpy()}, ENCODER_OUTPUTS)
    assert all(np.isfinite(array).all() for array in got.values())
    assert not got["slice"][0, 3].any()
    assert not got["slice"][0, :, 3].any()


def test_a_graph_that_answers_otherwise_is_refused() -> None:
    head = HeadGraph(_model(15).head, {"valence": 1.0})
    graph = _to_onnx(head, [torch.randn(1, 4, 15, 15)], ["slices"], ["valence"], t_max=4)
    other = HeadGraph(head.head, {"valence": 2.0})
    with pytest.raises(BundleError, match="as torch does"):
        check_parity(other, graph, [{"slices": torch.randn(1, 2, 15, 15)}], ["valence"])


def test_only_a_modality_that_may_be_missing_has_a_mask() -> None:
    eeg, face = SignalSpec(ch_names=("Cz",)), FrameSpec(ch_names=FACE_FEATURES)
    assert input_names(WindowSpec(modalities={"eeg": eeg})) == ("eeg",)
    assert input_names(WindowSpec(modalities={"eeg": eeg, "face": face})) == (
        "eeg",
        "face",
        "face_mask",
    )
