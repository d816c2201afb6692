"""What a session file makes of the stream's description, and of what stamps rest on."""

import math

import pytest

from rtaffect.config.reading import validated
from rtaffect.config.scanner import ScannerSettings
from rtaffect.core.atlas import brainnetome
from rtaffect.scanner.description import describe, describe_volumes

LABELS = {"image": "labels.nii.gz", "names": "brainnetome"}
PYNEAL = {"kind": "pyneal"}
DICOM = {"kind": "dicom", "folder": "."}


def settings(**keys: object) -> ScannerSettings:
    return validated({"labels": LABELS, **keys}, ScannerSettings, where="test")


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (PYNEAL, "arrival"),
        ({"kind": "afni"}, "arrival"),
        (DICOM, "scanner"),
        ({"kind": "nifti", "folder": "."}, "arrival"),
        ({"kind": "lsl"}, "stamps"),
    ],
)
def test_stamps_rest_on_the_best_that_the_input_has(given: object, kind: str) -> None:
    made = settings(input=given)
    assert made.time_in_force().kind == kind
    assert describe(made, None, tr_s=2.0)["acquisition.time_source"] == kind


def test_a_full_description() -> None:
    made = settings(
        input=DICOM,
        labels={**LABELS, "space": "native"},
        time={"kind": "triggers", "text": "T", "n_dummy": 3, "delay_s": 0.9},
        cleaning={"window_s": 60.0, "despike": False, "n_settle": 4},
    )
    assert describe(made, brainnetome(), tr_s=1.5) == {
        "acquisition.tr_s": "1.5",
        "acquisition.time_reference": "mid",
        "acquisition.time_source": "triggers",
        "acquisition.delay_s": "0.9",
        "acquisition.n_dummy": "3",
        "acquisition.volume_trigger": "T",
        "atlas.name": "Brainnetome 246",
        "atlas.space": "native",
        "atlas.licence": brainnetome().licence,
        "processing.motion_correction": "unknown",
        "processing.detrend": "glm",
        "processing.detrend_window_s": "60",
        "processing.despike": "none",
        "processing.normalisation": "none",
        "processing.causal": "1",
        "processing.n_settle": "4",
    }


@pytest.mark.parametrize(
    ("given", "who"),
    [({"kind": "afni"}, "afni"), ({**DICOM, "series": "moco"}, "scanner"), (PYNEAL, "unknown")],
)
def test_who_aligned_the_volumes_is_said_as_far_as_it_is_known(given: object, who: str) -> None:
    about = describe(settings(input=given), None, tr_s=2.0)
    assert about["processing.motion_correction"] == who


def test_without_cleaning_nothing_is_promised() -> None:
    about = describe(settings(input=PYNEAL, cleaning=None), brainnetome(), tr_s=math.nan)
    assert (about["processing.detrend"], about["processing.despike"]) == ("none", "none")
    assert "acquisition.tr_s" not in about


def test_what_the_sender_of_means_cleaned_stays_said() -> None:
    sent = {"processing.detrend": "polynomial", "processing.despike": "no"}
    about = describe(settings(input={"kind": "lsl"}), brainnetome(), tr_s=2.0, sent=sent)
    assert (about["processing.detrend"], about["processing.despike"]) == ("polynomial", "kalman")
    assert "processing.detrend_window_s" not in about
    bare = settings(input={"kind": "lsl"}, cleaning=None)
    about = describe(bare, brainnetome(), tr_s=2.0, sent=sent)
    assert (about["processing.detrend"], about["processing.despike"]) == ("polynomial", "none")


def test_volumes_are_described_without_regions() -> None:
    info = describe_volumes(settings(input=PYNEAL, tr_s=2.0, simulated=True, name="x"))
    assert (info.name, info.modality, info.simulated) == ("x-volumes", "volume", True)
    assert info.about["acquisition.tr_s"] == "2"
    assert not any(key.startswith("atlas.") for key in info.about)
