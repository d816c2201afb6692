"""Windows of frames that come at any distance, some unreadable, against a plain search of them."""

from dataclasses import replace

import numpy as np
import pytest
from frame_cases import FRAMES, REGIONS, ROI_SPEC, Frame, events_of, roi_info
from hypothesis import given, settings
from hypothesis import strategies as st
from window_cases import ListSource

from rtaffect.windows import open_windows

WINDOW_S, NEW_RUN_S = 12.0, 30.0


@st.composite
def scans(draw: st.DrawFn) -> list[Frame]:
    """Return frames 0.3 to 9 s apart; one in five has no value."""
    n = draw(st.integers(5, 60))
    longest_s = draw(st.sampled_from([0.4, 1.5, 4.0, 9.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    stamps = 100.0 + np.cumsum(rng.uniform(0.3, longest_s, n))
    values = rng.normal(0.0, 1.0, (n, len(REGIONS)))
    values[rng.random(n) < 0.2] = np.nan
    return [Frame(t, t + 0.1, v) for t, v in zip(stamps.tolist(), values, strict=True)]


def at(t: float, frames: list[Frame], max_gap_s: float) -> np.ndarray | None:
    """Return what lies at a time on the line between readable frames; None where nothing does."""
    readable = [frame for frame in frames if np.isfinite(frame.values).all()]
    near = [frame for frame in readable if abs(frame.stamp_s - t) <= 0.005]
    if near:
        return near[0].values
    before = [frame for frame in readable if frame.stamp_s < t]
    after = [frame for frame in readable if frame.stamp_s > t]
    if not before or not after or after[0].stamp_s - before[-1].stamp_s > max_gap_s:
        return None
    stamps = [before[-1].stamp_s, after[0].stamp_s]
    both = np.stack([before[-1].values, after[0].values])
    return np.array([np.interp(t, stamps, both[:, i]) for i in range(both.shape[1])])


@given(scans(), st.sampled_from([0.5, 1.0]), st.sampled_from([2.5, 5.0]))
@settings(max_examples=150, deadline=None)
def test_every_sample_is_what_a_search_finds(
    frames: list[Frame], sfreq: float, max_gap_s: float
) -> None:
    spec = replace(ROI_SPEC, normalise="none", n_settle=0, sfreq=sfreq, max_gap_s=max_gap_s)
    windows = replace(FRAMES, window_s=WINDOW_S, hop_s=2.0, modalities={"roi": spec})
    source = ListSource(events_of(frames), {"roi": roi_info()})
    by_frame = {frame.stamp_s: i for i, frame in enumerate(frames)}
    seen = 0
    for window in open_windows(source, windows):
        if window.t_end not in by_frame:
            assert not np.isfinite(window.modalities["roi"].data).any()
            continue
        seen += 1
        known = frames[: by_frame[window.t_end] + 1]
        n_times = round(WINDOW_S * sfreq)
        for k in range(n_times):
            got = window.modalities["roi"].data[:, n_times - 1 - k]
            wanted = at(window.t_end - k / sfreq, known, max_gap_s)
            if wanted is None:
                assert np.isnan(got).all()
            else:
                assert got == pytest.approx(wanted, abs=1e-5)
    assert seen == len(frames)
