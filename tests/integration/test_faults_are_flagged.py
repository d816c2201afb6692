"""What each fault of the simulator does to windows: docs/faults-and-flags.md says the same."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from rtaffect.bundle import find_bundle, load_bundle
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_32
from rtaffect.core.spec import FrameSpec, SignalSpec, WindowSpec
from rtaffect.core.window import Flag, Window
from rtaffect.decode.decoder import Decoder
from rtaffect.simulate.faults import FAULTS, parse_fault
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource
from rtaffect.windows import WindowChain

SPEC = WindowSpec(
    modalities={
        "eeg": SignalSpec(ch_names=EEG_32),
        "face": FrameSpec(ch_names=FACE_FEATURES),
    }
)
T0, FAULT_S, DURATION_S, SFREQ = 1000.0, 10.0, 24.0, 256
FOUR = "Fz,Cz,Pz,Oz"  # more than a tenth of 32 channels

# From which window on (end of the window minus start of the fault, in seconds) which words are
# added to what the same window says without the fault, and whether the model may see it.
Story = list[tuple[float, str, bool]]
STORIES: dict[str, tuple[str, Story]] = {
    "drop@10+0.5": (
        "eeg",
        [
            (0.0, "late missing", False),  # half a second of silence may yet be a burst
            (0.25, "gap missing", False),
            (0.75, "gap missing warmup", False),
            (3.75, "warmup", True),
            (7.5, "", True),
        ],
    ),
    "drop@10+0.016": ("eeg", [(0.0, "gap", True), (3.25, "", True)]),
    "nan@10+1": (
        "eeg",
        [
            (0.0, "late missing", False),
            (0.75, "gap missing", False),
            (1.25, "gap missing warmup", False),
            (4.25, "warmup", True),
            (8.0, "", True),
        ],
    ),
    "nan@10+0.01": ("eeg", [(0.0, "gap", True), (3.25, "", True)]),
    "burst@10+0.4": ("eeg", []),
    "burst@10+0.8": ("eeg", [(0.0, "late missing", False), (0.5, "", True)]),
    "burst@10+2": (
        "eeg",
        [(0.0, "late missing", False), (0.5, "missing stale", False), (2.0, "", True)],
    ),
    "jitter@10+5": ("eeg", []),
    "skew@10+10": ("eeg", []),
    "skew@10+10=-500": ("eeg", []),
    "reset@10": (
        "eeg",
        [
            (0.0, "gap missing", False),
            (0.25, "clock gap missing warmup", False),
            (3.25, "warmup", True),
            (7.0, "", True),
        ],
    ),
    "death@10+3": (
        "eeg",
        [
            (0.0, "missing stale", False),
            (3.0, "gap missing", False),
            (3.25, "gap missing warmup", False),
            (6.25, "warmup", True),
            (10.0, "", True),
        ],
    ),
    "stall@10+3": (
        "eeg",
        [
            (0.0, "late missing", False),
            (0.5, "missing stale", False),
            (3.25, "gap missing warmup", False),
            (6.25, "warmup", True),
            (10.0, "", True),
        ],
    ),
    "flat@10+5": ("eeg", []),  # one of 32 channels is within the limits
    f"flat@10+5={FOUR}": ("eeg", [(0.75, "artifact", True), (8.0, "", True)]),
    "rail@10+5": (
        "eeg",
        [(0.0, "artifact", True), (4.0, "", True), (5.0, "artifact", True), (9.0, "", True)],
    ),
    f"rail@10+5={FOUR}": ("eeg", [(0.0, "artifact", True), (9.5, "", True)]),
    "hum@10+5": ("eeg", [(0.25, "artifact", True), (9.0, "", True)]),
    "absent@10+3": (
        "face",
        [
            (0.25, "artifact", True),
            (1.75, "artifact missing", False),
            (4.75, "artifact", True),
            (6.25, "", True),
        ],
    ),
    "face:drop@10+0.5": ("face", [(0.25, "gap", True), (3.75, "", True)]),
    "face:nan@10+1=AU12_r": ("face", [(0.25, "artifact", True), (4.25, "", True)]),
    "face:burst@10+0.8": ("face", [(0.0, "late", True), (0.5, "", True)]),
    "face:jitter@10+5": ("face", []),
    "face:skew@10+10": ("face", []),
    "face:reset@10": (
        "face",
        [
            (0.0, "clock", True),
            (0.25, "clock gap", True),
            (3.0, "gap", True),
            (3.25, "", True),
        ],
    ),
    "face:death@10+3": (
        "face",
        [
            (0.0, "stale", True),
            (1.5, "missing stale", False),
            (3.0, "gap missing", False),
            (4.5, "gap", True),
            (6.0, "", True),
        ],
    ),
    "face:stall@10+3": (
        "face",
        [
            (0.0, "late", True),
            (0.5, "stale", True),
            (1.5, "missing stale", False),
            (3.0, "gap missing", False),
            (4.5, "gap", True),
            (6.0, "", True),
        ],
    ),
    "face:flat@10+3=AU12_r": ("face", []),  # a still face looks the same
}
# The same of the estimates of a shipped model: words, and how many windows the answer rests on.
ESTIMATES: dict[str, list[tuple[float, str, int]]] = {
    "drop@20+0.5": [
        (0.0, "eeg:late eeg:missing", 0),
        (0.25, "eeg:gap eeg:missing", 0),
        (0.75, "eeg:gap eeg:missing eeg:warmup", 0),
        (3.75, "eeg:warmup", 1),
        (6.75, "eeg:warmup", 2),
        (9.75, "eeg:warmup", 3),
        (12.75, "eeg:warmup", 4),
        (16.5, "", 4),
    ],
    "burst@20+0.8": [
        (0.0, "eeg:late eeg:missing", 0),
        (0.5, "", 4),
        *[(3.0, "", 1), (3.5, "", 4), (6.0, "", 2), (6.5, "", 4), (9.0, "", 3), (9.5, "", 4)],
    ],
    f"flat@20+5={FOUR}": [(0.75, "eeg:artifact", 4), (17.0, "", 4)],
}
LOST_S = {  # what of the signal is gone for good, after the start of the fault
    "drop@10+0.5": (0.0, 0.5),
    "nan@10+1": (0.0, 1.0),
    "reset@10": (0.0, 0.0),
    "death@10+3": (0.0, 3.0),
    "stall@10+3": (0.0, 3.0),
}


def run(*faults: str, sfreq: float = SFREQ) -> tuple[list[Window], WindowChain]:
    wrong = [parse_fault(text) for text in faults]
    source = SimulatedSource(Participant(3), DURATION_S, sfreq=sfreq, t_start=T0, faults=wrong)
    chain = WindowChain(SPEC, source.infos)
    return [window for event in source.events() for window in chain.push(event)], chain


@cache
def clean() -> list[Window]:
    return run()[0]


@cache
def with_fault(fault: str) -> list[Window]:
    return run(fault)[0]


def since(window: Window) -> float:
    """When a window ends, counted from the start of the fault."""
    return window.t_end - T0 - FAULT_S


def story(windows: Sequence[Window], modality: str) -> Story:
    told: Story = []
    before = ("", True)
    for bare, window in zip(clean(), windows, strict=True):
        was, part = bare.modalities[modality], window.modalities[modality]
        assert was.flags <= part.flags
        now = (" ".join(sorted(part.flags - was.flags)), part.usable)
        if was.usable and now != before:
            told.append((since(window), *now))
            before = now
    return told


def test_no_fault_of_the_simulator_is_left_out() -> None:
    assert {type(parse_fault(fault)) for fault in STORIES} == set(FAULTS.values())


def test_without_a_fault_a_settled_window_is_flagged_as_simulated_only() -> None:
    settled = [window for window in clean() if window.t_end >= T0 + 7.0]
    assert len(settled) > 60
    for window in settled:
        for part in window.modalities.values():
            assert part.flags == {Flag.SIMULATED}
            assert part.usable
            assert part.coverage == 1.0


@pytest.mark.parametrize("fault", STORIES)
def test_a_fault_is_flagged_when_it_says_and_not_otherwise(fault: str) -> None:
    modality, expected = STORIES[fault]
    windows = with_fault(fault)
    assert story(windows, modality) == expected
    other = "face" if modality == "eeg" else "eeg"
    assert story(windows, other) == []


@pytest.mark.parametrize("fault", ESTIMATES)
def test_an_estimate_says_of_every_window_that_it_rests_on(fault: str) -> None:
    bundle = load_bundle(find_bundle("prior-dfcn-eeg-face"))
    source = SimulatedSource(
        Participant(3), 38.0, sfreq=SFREQ, t_start=T0, faults=[parse_fault(fault)]
    )
    chain = WindowChain(bundle.manifest.windows, source.infos)
    decoder = Decoder(bundle, infos=source.infos, provider="cpu")
    told: list[tuple[float, str, int]] = []
    for event in source.events():
        for window in chain.push(event):
            estimate = decoder.decode(window).estimate
            assert bool(estimate.targets) == bool(estimate.n_slices)
            flags = [f"{m}:{f}" for m, f in estimate.flags if m == "eeg" and f != Flag.SIMULATED]
            now = (" ".join(flags), estimate.n_slices)
            if not told or told[-1][1:] != now:
                told.append((window.t_end - T0, *now))
    settled = told.index((16.0, "", 4))
    assert {words for _, words, n in told[:settled] if n} == {"eeg:warmup"}
    assert [(t - 20.0, *rest) for t, *rest in told[settled + 1 :]] == ESTIMATES[fault]


@pytest.mark.parametrize("fault", STORIES)
def test_what_ended_before_the_fault_is_the_same_in_every_bit(fault: str) -> None:
    for bare, window in zip(clean(), with_fault(fault), strict=True):
        if since(window) < 0:
            for modality, part in window.modalities.items():
                twin = bare.modalities[modality]
                assert part.data.tobytes() == twin.data.tobytes()
                assert (part.flags, part.coverage) == (twin.flags, twin.coverage)


@pytest.mark.parametrize("fault", [f for f in STORIES if "skew" not in f and "jitter" not in f])
def test_long_after_the_fault_the_data_are_as_if_it_had_never_been(fault: str) -> None:
    modality, _ = STORIES[fault]
    compared = 0
    for bare, window in zip(clean(), with_fault(fault), strict=True):
        if since(window) >= 12.0:  # a filter forgets a rail of 187 mV later than EEG
            part, twin = window.modalities[modality], bare.modalities[modality]
            np.testing.assert_allclose(part.data, twin.data, atol=0.01)
            assert (part.flags, part.coverage) == (twin.flags, 1.0)
            compared += 1
    assert compared > 6


@pytest.mark.parametrize("fault", LOST_S)
def test_no_usable_window_spans_a_break(fault: str) -> None:
    first, last = (FAULT_S + T0 + t for t in LOST_S[fault])
    n_usable = 0
    for window in with_fault(fault):
        part = window.modalities["eeg"]
        if part.usable:
            n_usable += 1
            assert window.t_end <= first or window.t_start >= last
            assert np.isfinite(part.data).all()
        else:
            assert Flag.MISSING in part.flags
    assert n_usable > 40


@pytest.mark.parametrize("fault", STORIES)
def test_coverage_falls_wherever_a_word_says_that_samples_are_not_good(fault: str) -> None:
    modality, _ = STORIES[fault]
    for window in with_fault(fault):
        part = window.modalities[modality]
        bad = part.flags & {Flag.GAP, Flag.ARTIFACT, Flag.WARMUP, Flag.LATE, Flag.STALE}
        assert (part.coverage < 1.0) == bool(bad)
        assert 0.0 <= part.coverage <= 1.0


@pytest.mark.parametrize("held_s", [0.4, 0.8, 2.0])
def test_a_burst_delays_and_loses_nothing(held_s: float) -> None:
    windows, chain = run(f"burst@10+{held_s}")
    health = chain.health(T0 + DURATION_S)["eeg"]
    assert (health.n_samples, health.n_missing, health.n_gaps) == (24 * SFREQ, 0, 0)
    for bare, window in zip(clean(), windows, strict=True):
        part, twin = window.modalities["eeg"], bare.modalities["eeg"]
        if part.usable:
            assert part.data.tobytes() == twin.data.tobytes()
            assert part.coverage == twin.coverage
        waited_s = window.t_closed - window.t_end
        assert waited_s <= SPEC.max_wait_s + 0.05


def test_jitter_that_sets_in_suddenly_looks_like_small_losses_until_it_is_known() -> None:
    # 5 ms at 512 Hz is more than 1.5 periods: whether stamps shake or samples are lost can be told
    # only once some have been seen. Nothing is thrown away.
    windows, _ = run("jitter@10+5=0.005", sfreq=512)
    for window in windows:
        part = window.modalities["eeg"]
        if since(window) >= 0:
            assert part.usable
            assert part.coverage > 0.95
            assert part.flags <= {Flag.SIMULATED, Flag.GAP}
        if since(window) >= 6.0:
            assert Flag.GAP not in part.flags


def test_what_one_railed_electrode_does_to_the_others_is_flagged() -> None:
    rail = "rail@10+5"
    others = [i for i, name in enumerate(EEG_32) if name != "Cz"]
    spoiled = 0
    for bare, window in zip(clean(), with_fault(rail), strict=True):
        part, twin = window.modalities["eeg"], bare.modalities["eeg"]
        if part.usable and np.abs(part.data - twin.data)[others].max() > 300.0:
            assert Flag.ARTIFACT in part.flags
            spoiled += 1
    assert spoiled > 20
