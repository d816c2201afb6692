import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from offline.cli import app, main
from offline.datasets.participant import Participant
from offline.models.prior_dfcn import PriorDFCN, PriorDFCNSettings
from offline.recipe import OptimiserSettings
from offline.training import Epoch, make_sequences, predict, train
from rtaffect.bundle import load_bundle
from rtaffect.decode.decoder import Decoder
from rtaffect.simulate.participant import Participant as Simulated
from rtaffect.simulate.source import SimulatedSource
from rtaffect.version import __version__
from rtaffect.windows import open_windows

TINY = """
dataset: {kind: simulated, n_train: 2, n_validation: 1, n_test: 1, duration_s: 14, n_workers: 1}
optimiser: {max_epochs: 1}
bundles:
  - {name: tiny, title: T, summary: S, montage: EEG_32, face: true, t_max: 2, model: {maps: [2]}}
"""


def _people(n: int, *, first: int = 0) -> list[Participant]:
    """Participants whose valence is the correlation of their first two channels."""
    people = []
    for seed in range(first, first + n):
        rng = np.random.default_rng(seed)
        valence = rng.choice([-0.8, 0.8], size=24)
        eeg = rng.normal(size=(24, 4, 384))
        eeg[:, 1] += 3 * valence[:, None] * eeg[:, 0]
        index = np.delete(np.arange(26), [7, 8])
        people.append(
            Participant(
                name=f"p{seed}",
                index=index,
                hop_s=3.0,
                inputs={"eeg": (10 * eeg).astype(np.float32)},
                truth={"valence": valence},
            )
        )
    return people


def _model() -> PriorDFCN:
    torch.manual_seed(0)
    settings = PriorDFCNSettings(connectivity="signal", maps=(4,), stem_stride=1)
    return PriorDFCN(settings, n_channels=4, n_face=0, sfreq=128.0, targets={"valence": 2})


def test_a_sequence_never_reaches_over_a_gap_or_to_another_person() -> None:
    data = make_sequences(_model(), _people(2), window_s=3.0, t_max=3)
    assert data.n_slices.tolist() == ([1, 2, 3, 3, 3, 3, 3, 1, 2] + [3] * 15) * 2
    assert data.rows[24].tolist() == [-1, -1, 24]
    assert data.rows[6].tolist() == [4, 5, 6]
    assert data.rows[7].tolist() == [-1, -1, 7]


def test_slices_of_a_sequence_do_not_overlap_on_a_finer_hop() -> None:
    person = _people(1)[0]
    fine = Participant(person.name, np.arange(24), 1.5, person.inputs, person.truth)
    data = make_sequences(_model(), [fine], window_s=3.0, t_max=3)
    assert data.rows[10].tolist() == [6, 8, 10]


def test_it_learns_what_is_there_and_the_same_seed_learns_the_same() -> None:
    answers = []
    for _ in range(2):
        model = _model()
        data = {
            "train": make_sequences(model, _people(10), window_s=3.0, t_max=3),
            "validation": make_sequences(model, _people(3, first=50), window_s=3.0, t_max=3),
        }
        epochs: list[Epoch] = []
        settings = OptimiserSettings(max_epochs=12, learning_rate=5e-3)
        train(model, data, settings, seed=1, report=epochs.append)
        answers.append(predict(model, data["validation"])["valence"])
    hits = answers[0].argmax(1) == data["validation"].labels["valence"]
    assert hits.float().mean() > 0.9
    assert min(e.validation_nll for e in epochs if e.is_best) == min(
        e.validation_nll for e in epochs
    )
    assert torch.equal(answers[0], answers[1])


def test_training_stops_when_it_no_longer_helps_and_keeps_the_best() -> None:
    model = _model()
    data = {"train": make_sequences(model, _people(1), window_s=3.0, t_max=2)}
    rng = np.random.default_rng(0)
    noise = [
        Participant(
            p.name, p.index, p.hop_s, p.inputs, {"valence": rng.permutation(p.truth["valence"])}
        )
        for p in _people(2, first=70)
    ]
    data["validation"] = make_sequences(model, noise, window_s=3.0, t_max=2)
    epochs: list[Epoch] = []
    settings = OptimiserSettings(max_epochs=200, patience=3, learning_rate=1e-2)
    train(model, data, settings, seed=0, report=epochs.append)
    best = max(e.number for e in epochs if e.is_best)
    assert len(epochs) == best + 3
    logits = predict(model, data["validation"])
    loss = torch.nn.functional.cross_entropy(
        logits["valence"], data["validation"].labels["valence"]
    )
    assert loss.item() == pytest.approx(epochs[best - 1].validation_nll, rel=1e-5)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("run")
    (folder / "tiny.yaml").write_text(TINY)
    result = CliRunner().invoke(
        app, ["train", str(folder / "tiny.yaml"), "--out", str(folder / "out")]
    )
    assert result.exit_code == 0, result.output
    return folder / "out" / "tiny", result.output


def test_the_command_line_trains_a_bundle_and_shows_how_good_it_is(made: tuple[Path, str]) -> None:
    path, output = made
    assert "balanced accuracy" in output
    manifest = load_bundle(path).manifest
    assert manifest.simulated
    assert manifest.training.participants == {
        "train": ("simulated-0000", "simulated-0001"),
        "validation": ("simulated-0002",),
        "test": ("simulated-0003",),
    }
    assert "balanced_accuracy_without_face" in manifest.training.metrics["valence"]
    assert json.loads((path / "manifest.json").read_text())["training"]["recipe"]["seed"] == 0


def test_a_trained_bundle_decodes_a_participant_with_and_without_a_face(
    made: tuple[Path, str],
) -> None:
    bundle = load_bundle(made[0])
    decoder = Decoder(bundle)
    with SimulatedSource(Simulated(1001), 16.0) as source:
        estimates = [
            decoder.decode(window).estimate
            for window in open_windows(source, bundle.manifest.windows)
        ]
    answers = [e for e in estimates if e.targets]
    assert {e.n_slices for e in answers} == {1, 2}
    assert all(abs(sum(e.targets["valence"].probabilities) - 1) < 1e-5 for e in answers)


def test_a_bundle_that_is_not_in_the_recipe_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    with pytest.raises(SystemExit) as caught:
        main(["train", str(tmp_path / "tiny.yaml"), "--only", "huge"])
    assert caught.value.code == 1
    assert "tiny" in capsys.readouterr().err


def test_an_error_is_a_few_lines_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "no-such-recipe.yaml"])
    assert caught.value.code == 1
    assert "no-such-recipe.yaml cannot be read" in capsys.readouterr().err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert __version__ in capsys.readouterr().out
