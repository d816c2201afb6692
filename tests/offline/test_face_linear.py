"""The linear reference of faces, against scikit-learn and against frames that are not there."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from offline.models.contract import Shapes
from offline.models.face_linear import FaceLinear, FaceLinearSettings
from offline.models.mtcnn import MTCNNSettings
from offline.models.prior_dfcn import PriorDFCNSettings
from rtaffect.core.errors import ConfigError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.spec import FrameSpec, WindowSpec

ALONE = WindowSpec(modalities={"face": FrameSpec(ch_names=FACE_FEATURES, optional=False)})
N, N_FACE, N_FRAMES = 120, len(FACE_FEATURES), 96


def _windows() -> tuple[dict[str, Tensor], np.ndarray]:
    """Faces that look otherwise in one class and move more in the other; some frames are lost."""
    rng = np.random.default_rng(4)
    classes = rng.integers(0, 2, N)
    unit = np.geomspace(0.05, 600, N_FACE)[:, None]  # intensities, radians and millimetres
    frames = rng.normal(size=(N, N_FACE, N_FRAMES))
    frames[:, 10:] *= 1 + 0.05 * classes[:, None, None]
    frames += 0.1 * rng.normal(size=(N, N_FACE, 1)) + 0.08 * classes[:, None, None]
    mask = rng.random((N, N_FRAMES)) > 0.2
    inputs = {
        "face": torch.tensor(frames * unit * mask[:, None], dtype=torch.float32),
        "face_mask": torch.tensor(mask, dtype=torch.float32),
    }
    return inputs, classes


def _solved(inputs: dict[str, Tensor], classes: np.ndarray) -> FaceLinear:
    network = FaceLinearSettings().build(Shapes(windows=ALONE, targets={"valence": 2}))
    features = network.extract(inputs)
    network.fit_scales(features)
    network.solve(iter([(features, 1)]), {"valence": torch.from_numpy(classes)}, seed=0)
    return network


def _said(network: FaceLinear, inputs: dict[str, Tensor]) -> np.ndarray:
    logits = network(network.extract(inputs), 1)["valence"]
    return torch.softmax(logits.double(), dim=1).numpy()


def test_it_is_logistic_regression_on_standardised_means_and_deviations() -> None:
    inputs, classes = _windows()
    frames, mask = (inputs[key].double().numpy() for key in ("face", "face_mask"))
    seen = [frame[:, valid > 0] for frame, valid in zip(frames, mask, strict=True)]
    x = np.array([np.r_[frame.mean(axis=1), frame.std(axis=1)] for frame in seen])
    reference = make_pipeline(
        StandardScaler(), LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
    ).fit(x, classes)
    got = _said(_solved(inputs, classes), inputs)
    np.testing.assert_allclose(got, reference.predict_proba(x), atol=5e-3)
    assert ((got[:, 1] > 0.5) == classes).mean() > 0.9


def test_what_stands_where_there_is_no_face_changes_nothing() -> None:
    inputs, classes = _windows()
    network = _solved(inputs, classes)
    shorter = {"face": inputs["face"][:, :, :48], "face_mask": inputs["face_mask"][:, :48]}
    longer = {key: torch.cat([x, torch.zeros_like(x)], dim=-1) for key, x in shorter.items()}
    np.testing.assert_allclose(_said(network, longer), _said(network, shorter), atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "needs"),
    [(MTCNNSettings(), "EEG"), (PriorDFCNSettings(), "EEG")],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_models_of_eeg_say_that_a_face_is_not_enough(settings: MTCNNSettings, needs: str) -> None:
    with pytest.raises(ConfigError, match=f"needs windows of {needs} .* they hold face"):
        settings.build(Shapes(windows=ALONE, targets={"valence": 2}))


def test_a_face_that_may_be_missing_does_not_serve() -> None:
    joint = WindowSpec(modalities={"face": FrameSpec(ch_names=FACE_FEATURES)})
    with pytest.raises(ConfigError, match="needs windows of a face alone"):
        FaceLinearSettings().build(Shapes(windows=joint, targets={"valence": 2}))
