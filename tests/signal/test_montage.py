"""Channel names in all their spellings, missing channels, rebuilt channels."""

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial.legendre import legval

from rtaffect.core.errors import MontageError
from rtaffect.core.montages import EEG_15, EEG_32
from rtaffect.signal.montage import MontagePlan, canonical_name, is_site, plan_montage

OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


def colin27_1005() -> Any:
    import mne

    known = {"colin27_1005", "standard_1005"} & set(mne.channels.get_builtin_montages())
    return mne.channels.make_standard_montage(min(known))


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("EEG Fp1", "Fp1"),
        ("FPz", "Fpz"),
        ("FP1", "Fp1"),
        ("fp2", "Fp2"),
        ("T3", "T7"),
        ("EEG T6", "P8"),
        ("CZ", "Cz"),
        ("  cz ", "Cz"),
        ("Fc5.", "FC5"),
        ("Cz..", "Cz"),
        ("Afz.", "AFz"),
        ("EEG Fp1-REF", "Fp1"),
        ("EEG FP2-LE", "Fp2"),
        ("eeg t4-ref", "T8"),
        ("EEG  O1 - Ref", "O1"),
        ("EEG_Pz", "Pz"),
        ("A1", "A1"),
        ("m2", "M2"),
        ("AFP3H", "AFp3h"),
    ],
)
def test_every_spelling_of_a_site_is_understood(label: str, name: str) -> None:
    assert canonical_name(label) == name
    assert is_site(label)


@pytest.mark.parametrize(
    "label",
    [
        "EEG A2-A1",
        "ECG ECG",
        "EOG1",
        "Status",
        "STI 014",
        "A3",
        "C7",
        "C32",
        "Fp1-F3",
        "EEG",
        "",
        "X",
    ],
)
def test_what_is_no_site_keeps_its_label(label: str) -> None:
    assert canonical_name(label) == label
    assert not is_site(label)


def test_every_site_that_mne_knows_is_known_in_any_case() -> None:
    names = colin27_1005().ch_names
    assert len(names) > 300
    for name in names:
        for label in (name, name.upper(), name.lower(), f"EEG {name}-REF", f"{name}."):
            assert canonical_name(label) == OLD_NAMES.get(name, name)


@given(st.text(max_size=12))
def test_a_canonical_name_is_its_own_canonical_name(label: str) -> None:
    assert canonical_name(canonical_name(label)) == canonical_name(label)


@settings(deadline=None)
@given(st.permutations([*EEG_32, "EOG1", "Status"]), st.sampled_from([EEG_15, EEG_32]))
def test_channels_come_in_the_models_order_whatever_the_streams(
    ch_names_in: list[str], wanted: tuple[str, ...]
) -> None:
    plan = plan_montage(ch_names_in, wanted)
    data = np.arange(float(len(ch_names_in)))[:, None] * np.ones((1, 3), dtype=np.float32)
    picked = plan.apply(data)
    assert picked.dtype == np.float64
    assert [ch_names_in[int(value)] for value in picked[:, 0]] == list(wanted)
    assert plan.interpolated == ()
    assert plan.ch_names == wanted


def test_integer_samples_are_taken_exactly() -> None:
    data = np.array([[2**31 - 1], [-(2**31)]], dtype=np.int32)
    np.testing.assert_array_equal(plan_montage(["Cz", "Pz"], ["Pz"]).apply(data), [[-(2.0**31)]])


def test_a_missing_channel_is_an_error_that_says_what_is_there() -> None:
    with pytest.raises(MontageError, match=r"does not have: Fp1, Oz\. The stream has AF3, F3,"):
        plan_montage([name for name in EEG_32 if name not in ("Fp1", "Oz")], EEG_32)


def test_a_label_that_is_nearly_right_is_pointed_at() -> None:
    labels = [name for name in EEG_15 if name not in ("O1", "Pz")] + ["O1-A2", "PPz", "pzz"]
    with pytest.raises(MontageError, match=r"near Pz: 'pzz', 'PPz'; near O1: 'O1-A2'.*rename"):
        plan_montage(labels, EEG_15)


def test_interpolation_is_offered_only_where_the_bundle_permits_it() -> None:
    with pytest.raises(MontageError, match="interpolate: true"):
        plan_montage(EEG_32[1:], EEG_32, max_interpolated=1)
    with pytest.raises(MontageError) as refusal:
        plan_montage(EEG_32[1:], EEG_32)
    assert "interpolate" not in str(refusal.value)


def test_more_missing_channels_than_the_bundle_permits_are_an_error() -> None:
    with pytest.raises(MontageError, match="permits 1 rebuilt"):
        plan_montage(EEG_32[2:], EEG_32, interpolate=True, max_interpolated=1)


def test_two_channels_for_one_site_are_an_error() -> None:
    with pytest.raises(MontageError, match=r"One channel must stand for T7.*'T7', 'T3'"):
        plan_montage([*EEG_15, "T3"], EEG_15)


def test_two_channels_with_one_name_that_nobody_wants_are_none_of_our_business() -> None:
    plan = plan_montage([*EEG_15, "Fp1", "EEG FP1", "", ""], EEG_15)
    assert plan.used == tuple(range(15))


@pytest.mark.parametrize(
    "labels",
    [
        [f"A{n}" for n in range(1, 17)] + ["Status"],
        [f"{bank}{n}" for bank in "ABCD" for n in range(1, 33)] + ["EXG1"],
        [f"{bank}{n}" for bank in "ABCDEFGH" for n in range(1, 33)],
        [f"EEG {bank}{n}" for bank in "AB" for n in range(1, 33)],
    ],
)
@pytest.mark.parametrize("wanted", [("A1", "A2"), ("C3", "C4", "F3", "F4"), EEG_15])
def test_positions_on_the_amplifier_are_no_sites(
    labels: list[str], wanted: tuple[str, ...]
) -> None:
    with pytest.raises(MontageError, match=r"positions on the amplifier.*rename"):
        plan_montage(labels, wanted)


def test_positions_beside_renamed_ones_are_passed_over() -> None:
    labels = [f"A{n}" for n in range(1, 31)] + ["Fz", "CZ"]  # the session renamed A31 and A32
    assert plan_montage(labels, ["Fz", "Cz"]).used == (30, 31)


def test_earlobes_beside_sites_stay_earlobes() -> None:
    assert plan_montage(["A1", "A2", "Cz", "C3", "F3"], ["A2", "C3"]).used == (1, 3)


def test_an_auxiliary_b1_does_not_turn_c3_into_a_socket() -> None:
    assert plan_montage(["B1", "Fz", "Cz", "C3"], ["C3"]).used == (3,)


def perrin_weights(present: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Spherical spline of order 4 by Perrin et al. 1989, equations 1-3, on unit vectors."""
    orders = np.arange(1, 51)
    series = np.r_[0.0, (2 * orders + 1) / (4 * np.pi * (orders * (orders + 1.0)) ** 4)]
    n = len(present)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = legval(present @ present.T, series) + 1e-5 * np.eye(n)
    system[n, n] = 0.0
    basis = np.hstack([legval(missing @ present.T, series), np.ones((len(missing), 1))])
    return np.linalg.solve(system, basis.T).T[:, :n]


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [(EEG_32, ("Fp1",)), (EEG_32, ("FC5", "Oz", "T8")), (EEG_15, ("Cz",)), (EEG_15, ("T7", "P8"))],
)
def test_rebuilt_channels_equal_mne_on_the_whole_recording(
    wanted: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    import mne

    rng = np.random.default_rng(5)
    data = rng.normal(0.0, 20.0, (len(wanted), 200))
    raw = mne.io.RawArray(data * 1e-6, mne.create_info(list(wanted), 100.0, "eeg"), verbose="error")
    raw.set_montage(colin27_1005())
    raw.info["bads"] = list(missing)
    raw.interpolate_bads(reset_bads=True, verbose="error")
    order = [name for name in rng.permutation(wanted) if name not in missing]
    plan = plan_montage(order, wanted, interpolate=True, max_interpolated=len(missing))
    rebuilt = plan.apply(data[[wanted.index(name) for name in order]])
    assert plan.interpolated == tuple(name for name in wanted if name in missing)
    np.testing.assert_allclose(rebuilt, raw.get_data() * 1e6, rtol=0, atol=1e-6)


def test_the_weights_are_the_spherical_spline_of_the_paper() -> None:
    import mne

    missing = ("FC5", "Oz")
    present = [name for name in EEG_32 if name not in missing]
    plan = plan_montage(present, EEG_32, interpolate=True, max_interpolated=2)
    info = mne.create_info([*present, *missing], 100.0, "eeg")
    info.set_montage(colin27_1005())
    origin = mne.bem.fit_sphere_to_headshape(info, verbose="error")[1]
    places = np.array([channel["loc"][:3] for channel in info["chs"]]) - origin
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    expected = perrin_weights(places[: len(present)], places[len(present) :])
    np.testing.assert_allclose(plan.weights, expected, atol=1e-6)
    np.testing.assert_allclose(plan.weights.sum(axis=1), 1.0, atol=1e-9)


def test_a_smooth_field_is_rebuilt_nearly_as_it_was() -> None:
    places = colin27_1005().get_positions()["ch_pos"]
    field = np.array([places[name] @ [0.3, 1.0, 0.5] for name in EEG_32])[:, None]
    i = EEG_32.index("CP1")
    plan = plan_montage(EEG_32[:i] + EEG_32[i + 1 :], EEG_32, interpolate=True, max_interpolated=1)
    rebuilt = plan.apply(np.delete(field, i, axis=0))
    assert abs(rebuilt[i, 0] - field[i, 0]) < 0.05 * np.ptp(field)


def interpolating_plan() -> MontagePlan:
    return plan_montage(EEG_15[1:], EEG_15, interpolate=True, max_interpolated=1)


def test_a_nan_spreads_only_to_the_channels_rebuilt_from_it() -> None:
    data = np.zeros((14, 2))
    data[5, 0] = np.nan
    is_nan = np.isnan(interpolating_plan().apply(data))
    assert np.flatnonzero(is_nan[:, 0]).tolist() == [0, 6]
    assert not is_nan[:, 1].any()


def test_picking_first_and_rebuilding_then_is_the_same_as_both_at_once() -> None:
    plan = interpolating_plan()
    data = np.random.default_rng(6).normal(size=(14, 9))
    np.testing.assert_array_equal(plan.rebuild(data[list(plan.used)]), plan.apply(data))


@pytest.mark.parametrize(
    ("present", "wanted"),
    [(("Cz", "Pz", "Fz"), ("Cz", "Pz", "Fz", "Oz")), (EEG_15, (*EEG_15, "EOG1"))],
)
def test_what_no_spline_can_rebuild_is_refused(
    present: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    with pytest.raises(MontageError, match="Rebuilding"):
        plan_montage(present, wanted, interpolate=True, max_interpolated=9)


def test_looking_names_up_does_not_load_mne() -> None:
    code = (
        "import sys; from rtaffect.signal.montage import plan_montage;"
        "plan_montage(['EEG Fp1', 'T3'], ['T7', 'Fp1']); sys.exit('mne' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def channel_names(path: Path) -> list[str]:
    import mne

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MNE's remarks on these files are not our subject
        return list(mne.io.read_raw(path, preload=False, verbose="error").ch_names)


@pytest.mark.recordings
@pytest.mark.parametrize(
    "file", ["eegmat/Subject00_1.edf", "eegmat/Subject01_2.edf", "eeglab-sample/eeglab_data.set"]
)
def test_real_recordings_have_the_15_channels(shared_data: Path, file: str) -> None:
    labels = channel_names(shared_data / "eeg" / file)
    plan = plan_montage(labels, EEG_15)
    assert [canonical_name(labels[i]) for i in plan.used] == list(EEG_15)


@pytest.mark.recordings
def test_real_recordings_say_which_of_the_32_channels_they_lack(shared_data: Path) -> None:
    labels = channel_names(shared_data / "eeg/eeglab-sample/eeglab_data.set")
    with pytest.raises(MontageError, match=r"does not have: Fp1, AF3, F7, Fp2, AF4, F8\."):
        plan_montage(labels, EEG_32)


@pytest.mark.recordings
def test_a_real_file_with_labels_of_sockets_is_refused(shared_data: Path) -> None:
    labels = channel_names(shared_data / "eeg/eeglab-sample/test.bdf")
    with pytest.raises(MontageError, match=r"'A1' are positions on the amplifier"):
        plan_montage(labels, EEG_15)
