"""Gradient artifacts of known size, taken out from the past alone."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scanned_eeg import N_CHANNELS, SFREQ, Scan, Scanned, band_power, in_db

from rtaffect.core.mr import GradientSpec
from rtaffect.signal.mr_artifact import GradientCorrector

SPEC = GradientSpec(n_volumes=20, min_volumes=4, longest_tr_s=1.0, check_s=0.05)
LEARNT = 3 + SPEC.min_volumes  # volumes from the first on until samples come
LIMITS = np.full(N_CHANNELS, SPEC.guard_uv_per_ms * 1e3 / SFREQ)
ONE = Scanned(scans=(Scan(start=1.03, n_volumes=40),), duration=19.0)


def run(
    data: np.ndarray,
    markers: Sequence[float],
    *,
    delay: float = 0.02,
    cuts: Sequence[int] = (),
    spec: GradientSpec = SPEC,
) -> np.ndarray:
    """Push samples; each marker comes `delay` seconds after its sample."""
    corrector = GradientCorrector(spec, sfreq=SFREQ, limits=LIMITS)
    due = sorted((min(round((t + delay) * SFREQ), data.shape[1]), t * SFREQ) for t in markers)
    edges = sorted({0, *cuts, *(at for at, _ in due), data.shape[1]})
    out = []
    for start, stop in itertools.pairwise(edges):
        for at, position in due:
            if at == start:
                corrector.mark(position)
        out.append(corrector.push(data[:, start:stop]))
    return np.concatenate(out, axis=1)


def is_there(out: np.ndarray) -> np.ndarray:
    return np.isfinite(out).all(axis=0)


def worst(out: np.ndarray, clean: np.ndarray) -> float:
    """Return the largest error among all samples that came out."""
    there = is_there(out)
    return float(np.abs(out[:, there] - clean[:, there]).max())


def offline(data: np.ndarray, scan: Scan, n_volumes: int) -> np.ndarray:
    """Subtract from each volume the mean of those around it: nothing waits, nothing is causal."""
    n = round(scan.tr * SFREQ)
    start = round(scan.start * SFREQ)
    volumes = data[:, start : start + n * scan.n_volumes].reshape(len(data), scan.n_volumes, n)
    volumes = volumes - volumes.mean(axis=2, keepdims=True)
    out = data.copy()
    for number in range(scan.n_volumes):
        first = min(max(0, number - n_volumes // 2), scan.n_volumes - n_volumes)
        others = [i for i in range(first, first + n_volumes + 1) if i != number]
        others = [i for i in others if i < scan.n_volumes]
        at = slice(start + number * n, start + (number + 1) * n)
        out[:, at] -= volumes[:, others].mean(axis=1)
    return out


def test_samples_pass_before_and_after_a_scan_and_none_come_while_it_is_learnt() -> None:
    out = run(ONE.raw, ONE.markers)
    (scan,) = ONE.scans
    there = is_there(out)
    before = ONE.during(0.0, scan.start)
    np.testing.assert_array_equal(out[:, before], ONE.raw[:, before])
    learnt = scan.start + LEARNT * scan.tr
    assert not there[ONE.during(scan.start + 0.002, learnt)].any()
    assert there[ONE.during(learnt + 0.001, scan.stop)].all()
    after = ONE.during(scan.stop + SPEC.check_s + SPEC.guard_hold_s + 0.01, ONE.duration)
    np.testing.assert_array_equal(out[:, after], ONE.raw[:, after])
    assert worst(out, ONE.clean) < 60.0  # the artifact is 2000 high


@pytest.mark.parametrize("band_hz", [(1, 4), (4, 8), (8, 13), (13, 30), (30, 45), (45, 120)])
def test_no_more_is_left_than_offline_subtraction_leaves(band_hz: tuple[int, int]) -> None:
    (scan,) = ONE.scans
    late = ONE.during(scan.start + 28 * scan.tr, scan.stop)
    ours = run(ONE.raw, ONE.markers)[:, late] - ONE.clean[:, late]
    theirs = offline(ONE.raw, replace(scan, start=scan.start), SPEC.n_volumes)[:, late]
    left = band_power(ours, *band_hz)
    reference = band_power(theirs - ONE.clean[:, late], *band_hz)
    assert in_db(left, reference) < 2.0
    assert in_db(left, band_power(ONE.clean[:, late], *band_hz)) < -9.0  # 20 volumes: -13


@pytest.mark.parametrize("ppm", [-40.0, 13.0])
@pytest.mark.parametrize("jitter", [0.0, 0.006])
def test_neither_another_clock_nor_shaken_markers_matter(ppm: float, jitter: float) -> None:
    tr = 0.4 * (1 + ppm * 1e-6)
    session = Scanned(scans=(Scan(start=1.03, n_volumes=40, tr=tr),), duration=18.0)
    rng = np.random.default_rng(3)
    markers = [t + rng.uniform(-jitter, jitter) for t in session.markers]
    out = run(session.raw, markers)
    late = session.during(12.0, 17.0)
    left = out[:, late] - session.clean[:, late]
    artifact = session.raw[:, late] - session.clean[:, late]
    assert in_db(band_power(left, 40, 120), band_power(session.clean[:, late], 40, 120)) < -9.0
    assert in_db(band_power(left, 1, 1000), band_power(artifact, 1, 1000)) < -35.0


def test_whole_samples_do_for_one_clock_and_not_for_two() -> None:
    def left_db(ppm: float) -> float:
        scan = Scan(start=1.03, n_volumes=40, tr=0.4 * (1 + ppm * 1e-6))
        session = Scanned(scans=(scan,), duration=18.0)
        out = run(session.raw, session.markers, spec=replace(SPEC, align="sample"))
        late = session.during(12.0, 17.0)
        left = np.nan_to_num(out[:, late] - session.clean[:, late], nan=1e3)
        return in_db(band_power(left, 45, 1000), band_power(session.clean[:, late], 45, 1000))

    assert left_db(0.0) < -9.0
    assert left_db(100.0) > 10.0


def test_once_a_scan_is_known_markers_may_come_late_or_never() -> None:
    all_come = run(ONE.raw, ONE.markers)
    (scan,) = ONE.scans
    few = [t for t in ONE.markers if t < scan.start + 4 * scan.tr]
    np.testing.assert_array_equal(run(ONE.raw, few), all_come)
    gone = [t for i, t in enumerate(ONE.markers) if i not in {9, 17, 18, 30}]
    np.testing.assert_array_equal(run(ONE.raw, gone), all_come)


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.5])
def test_a_marker_that_comes_late_lets_no_artifact_pass(delay: float) -> None:
    out = run(ONE.raw, ONE.markers, delay=delay)
    assert worst(out, ONE.clean) < 100.0
    assert is_there(out)[ONE.during(8.0, 17.0)].all()


def test_gradients_that_no_marker_announces_let_no_sample_pass() -> None:
    out = run(ONE.raw, [])
    (scan,) = ONE.scans
    assert not is_there(out)[ONE.during(scan.start + 0.002, scan.stop)].any()
    assert worst(out, ONE.clean) < 60.0


def test_a_scan_that_is_stopped_in_the_midst_of_a_volume_is_over_at_once() -> None:
    (scan,) = ONE.scans
    cut = scan.start + 20.4 * scan.tr
    raw = np.where(np.arange(ONE.raw.shape[1]) < cut * SFREQ, ONE.raw, ONE.clean)
    out = run(raw, [t for t in ONE.markers if t < cut])
    after = ONE.during(cut + 2 * SPEC.check_s + SPEC.guard_hold_s + 0.01, ONE.duration)
    np.testing.assert_array_equal(out[:, after], raw[:, after])
    assert worst(out, ONE.clean) < 150.0  # one sample: the guard sees slopes


@pytest.mark.parametrize("tr", [0.3, 0.55])
@pytest.mark.parametrize("pause", [0.0, 2.0])
def test_another_tr_is_learnt_anew(tr: float, pause: float) -> None:
    first = Scan(start=1.0, n_volumes=20)
    second = Scan(start=first.stop + pause, n_volumes=30, tr=tr, seed=2)
    session = Scanned(scans=(first, second), duration=second.stop + 1.0)
    out = run(session.raw, session.markers)
    there = is_there(out)
    assert there[session.during(first.start + LEARNT * first.tr + 0.01, first.stop)].all()
    known = session.during(second.start + 12 * tr, second.stop)
    assert there[known].all()
    assert worst(out, session.clean) < 100.0


def test_lost_samples_are_found_again() -> None:
    (scan,) = ONE.scans
    lost = round((scan.start + 18.3 * scan.tr) * SFREQ)
    for n_lost, is_told in ((3, False), (400, True)):
        kept = np.delete(np.arange(ONE.raw.shape[1]), np.arange(lost, lost + n_lost))
        corrector = GradientCorrector(SPEC, sfreq=SFREQ, limits=LIMITS)
        out = [corrector.push(ONE.raw[:, :10])]
        for t in ONE.markers[:2]:
            corrector.mark(t * SFREQ)
        out.append(corrector.push(ONE.raw[:, 10:lost]))
        if is_told:
            corrector.skip(n_lost)
        out.append(corrector.push(ONE.raw[:, lost + n_lost :]))
        joined = np.concatenate(out, axis=1)
        assert worst(joined, ONE.clean[:, kept]) < 200.0
        again = ONE.during(scan.start + 21 * scan.tr, scan.stop - 0.1)
        assert is_there(joined)[again].all()


def test_stamps_that_tell_of_a_loss_that_was_none_do_not_end_the_correction() -> None:
    (scan,) = ONE.scans
    at = round((scan.start + 18.3 * scan.tr) * SFREQ)
    corrector = GradientCorrector(SPEC, sfreq=SFREQ, limits=LIMITS)
    out = [corrector.push(ONE.raw[:, :10])]
    for t in ONE.markers[:2]:
        corrector.mark(t * SFREQ)
    out.append(corrector.push(ONE.raw[:, 10:at]))
    corrector.skip(300)
    out.append(corrector.push(ONE.raw[:, at:]))
    joined = np.concatenate(out, axis=1)
    assert worst(joined, ONE.clean) < 200.0
    again = ONE.during(scan.start + 22 * scan.tr, scan.stop - 0.1)
    assert is_there(joined)[again].all()


def test_markers_without_anything_that_repeats_give_no_samples_and_a_note() -> None:
    corrector = GradientCorrector(SPEC, sfreq=SFREQ, limits=LIMITS)
    n = round(0.4 * SFREQ)
    for number in range(12):
        corrector.mark(number * n)
        out = corrector.push(ONE.clean[:, number * n : (number + 1) * n])
        assert number == 0 or not is_there(out).any()
    assert "does not repeat" in corrector.note


def test_notes_say_how_far_a_template_is() -> None:
    corrector = GradientCorrector(SPEC, sfreq=SFREQ, limits=LIMITS)
    corrector.push(ONE.raw[:, : round(SFREQ)])
    assert corrector.note == ""
    corrector.mark(1.03 * SFREQ)
    assert "0 volumes, 4 are needed" in corrector.note


N_SHORT = round(6.0 * SFREQ)
SHORT = ONE.raw[:, :N_SHORT]
WHOLE = run(SHORT, ONE.markers)


@given(st.lists(st.integers(0, N_SHORT), max_size=40))
@settings(max_examples=12, deadline=None)
def test_how_samples_are_cut_changes_no_bit(cuts: list[int]) -> None:
    np.testing.assert_array_equal(run(SHORT, ONE.markers, cuts=cuts), WHOLE)


@given(st.integers(round(3.9 * SFREQ), N_SHORT - 1), st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_the_future_changes_nothing_that_was_said(now: int, seed: int) -> None:
    other = SHORT.copy()
    rng = np.random.default_rng(seed)
    other[:, now:] = rng.normal(scale=300.0, size=other[:, now:].shape)
    said = [t for t in ONE.markers if (t + 0.02) * SFREQ < now]
    out = run(other, [*said, *(t + 0.1 for t in ONE.markers if t not in said)])
    np.testing.assert_array_equal(out[:, :now], WHOLE[:, :now])
