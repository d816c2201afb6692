"""A small run of tools/fusion_study.py: what is fused knows more than its members, and no less."""

import pytest

from rtaffect.bundle import find_bundle, load_bundle
from rtaffect.config.fusion import FusionSettings
from rtaffect.core.fused import ALIGNED, LATEST
from tools.fusion_study import BUNDLES, Row, study

EACH, JOINT, WITHOUT_FACE = "EEG + face + fMRI", "EEG with face + fMRI", "EEG + fMRI"
Facts = dict[tuple[str, str], dict[str, float]]


@pytest.fixture(scope="module")
def found() -> tuple[list[Row], Facts]:
    """Three participants whom no model has met, with and without an EEG that means something."""
    bundles = {name: load_bundle(find_bundle(shipped)) for name, shipped in BUNDLES.items()}
    return study(
        bundles,
        n_subjects=3,
        duration_s=100.0,
        settings=FusionSettings(),
        conditions=("clean", "EEG is noise"),
    )


def rows(found: tuple[list[Row], Facts], **wanted: str) -> list[Row]:
    kept = [row for row in found[0] if all(getattr(row, k) == v for k, v in wanted.items())]
    assert kept
    return kept


def test_what_is_paired_with_fmri_beats_each_modality_alone(
    found: tuple[list[Row], Facts],
) -> None:
    for session in (EACH, JOINT):
        (row,) = rows(
            found, session=session, condition="clean", output=ALIGNED, target="arousal", score="NLL"
        )
        assert row.gain.value.value > 0.03, row
        assert row.fused < min(row.singles.values())


def test_noise_costs_coverage_and_weight(found: tuple[list[Row], Facts]) -> None:
    for session, decoder in ((EACH, "eeg"), (JOINT, "eeg-face"), (WITHOUT_FACE, "eeg")):
        clean, noisy = found[1][session, "clean"], found[1][session, "EEG is noise"]
        assert clean["coverage eeg"] > 0.99
        assert noisy["coverage eeg"] < 0.05
        assert noisy["coverage roi"] == clean["coverage roi"] > 0.99
        assert noisy[f"weight {decoder}"] < 0.6 * clean[f"weight {decoder}"]


def test_a_decoder_of_noise_alone_has_no_weight(found: tuple[list[Row], Facts]) -> None:
    for session in (EACH, WITHOUT_FACE):
        assert found[1][session, "EEG is noise"]["weight eeg"] < 0.01
    assert found[1][JOINT, "EEG is noise"]["weight eeg-face"] > 0.2  # it still has a face


@pytest.mark.parametrize("session", [EACH, WITHOUT_FACE])
@pytest.mark.parametrize("output", [LATEST, ALIGNED])
def test_beside_noise_one_decoder_a_modality_loses_no_right_answers(
    found: tuple[list[Row], Facts], session: str, output: str
) -> None:
    for row in rows(
        found,
        session=session,
        condition="EEG is noise",
        output=output,
        score="balanced accuracy",
    ):
        assert row.gain.value.ci_high is not None
        assert row.gain.value.ci_high >= 0, row
        assert row.best != "eeg"
