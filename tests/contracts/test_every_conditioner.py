"""What every step of the signal chain promises: causal, repeatable, its input left alone."""

import pickle
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.core.montages import EEG_15
from rtaffect.core.mr import GradientSpec, PulseSpec
from rtaffect.core.spec import CleaningSpec, FrameSpec, QualitySpec, RoiSpec, SignalSpec
from rtaffect.core.streams import Chunk, StreamInfo
from rtaffect.signal.acquired import AcquiredTrack
from rtaffect.signal.blocks import BLOCKS_PER_S, BlockCutter
from rtaffect.signal.filters import CausalFilter, filter_bank, highpass
from rtaffect.signal.frames import FrameTrack
from rtaffect.signal.montage import plan_montage
from rtaffect.signal.mr_artifact import GradientCorrector
from rtaffect.signal.pulse_artifact import PulseCorrector
from rtaffect.signal.quality import QualityMonitor
from rtaffect.signal.reference import rereference
from rtaffect.signal.resample import GridResampler
from rtaffect.signal.roi_cleaning import RoiCleaner, RunningNormaliser
from rtaffect.signal.signals import SignalTrack
from rtaffect.signal.timeline import RegularTimeline
from rtaffect.signal.volume_grid import VolumeGrid

SIGNAL = Path(__file__).parents[2] / "rtaffect" / "signal"
SFREQ = 256.0
N_BLOCK = int(SFREQ / BLOCKS_PER_S)
N_BLOCKS = 40
N_CHANNELS = len(EEG_15)
HELPERS = {"__init__", "units", "face_units", "mr"}  # no state; mr: of events, see test_mr


@dataclass(frozen=True, kw_only=True)
class Step:
    """A conditioner that has just begun.

    Parameters
    ----------
    run : callable
        Takes the next samples, shape (n_channels, n_times); returns what they complete.
    state : tuple
        The objects that remember something.
    any_cut : bool
        The same bits however the samples are cut; else only for blocks on absolute time.
    reset : callable or None
        Forgets the past, where a step can be told to.
    """

    run: Callable[[np.ndarray], np.ndarray]
    state: tuple[object, ...] = ()
    any_cut: bool = False
    reset: Callable[[], None] | None = None


def filtered() -> Step:
    causal = CausalFilter(highpass(1.0, order=2, sfreq=SFREQ), n_channels=N_CHANNELS)
    return Step(run=causal.process, state=(causal,), any_cut=True, reset=causal.reset)


def banked() -> Step:
    bands_hz = {"theta": (4.0, 8.0), "beta": (12.0, 30.0)}
    bank = filter_bank(bands_hz, n_channels=N_CHANNELS, sfreq=SFREQ)

    def reset() -> None:
        for causal in bank.values():
            causal.reset()

    return Step(
        run=lambda block: np.concatenate([causal.process(block) for causal in bank.values()]),
        state=tuple(bank.values()),
        any_cut=True,
        reset=reset,
    )


def referenced() -> Step:
    return Step(run=lambda block: rereference(block, "average"))


def unreferenced() -> Step:
    return Step(run=lambda block: rereference(block, "none"), any_cut=True)


def picked() -> Step:
    plan = plan_montage([f"EEG {name.upper()}" for name in EEG_15], EEG_15[::-1])
    return Step(run=plan.apply, state=(plan,), any_cut=True)


def rebuilt() -> Step:
    absent = EEG_15[7]
    others = [name if name != absent else "HEOG" for name in EEG_15]
    plan = plan_montage(others, EEG_15, interpolate=True, max_interpolated=1)
    return Step(run=plan.apply, state=(plan,))


def judged() -> Step:
    monitor = QualityMonitor(QualitySpec(), n_channels=N_CHANNELS, sfreq=SFREQ)
    return Step(
        run=lambda block: monitor.process([block]).T.astype(float),
        state=(monitor,),
        reset=monitor.reset,
    )


def placed() -> Step:
    """The steps that work on stamps, from samples to grid samples."""
    timeline = RegularTimeline(SFREQ, bridge_s=0.02)
    cutter, resampler = BlockCutter(), GridResampler(128.0, half_s=0.0625)
    stamps_of = Stamps()

    def run(samples: np.ndarray) -> np.ndarray:
        stamps = stamps_of(samples)
        spans = timeline.push(stamps, samples, t_received=stamps_of.now)
        period_s = timeline.period_s
        blocks = [block for span in spans for block in cutter.push(span, period_s=period_s)]
        if not blocks:
            return np.empty((N_CHANNELS, 0))
        return resampler.push(blocks, period_s=period_s)[1]

    return Step(run=run, state=(timeline, cutter, resampler), any_cut=True)


def signal_track() -> Step:
    info = StreamInfo(
        modality="eeg", name="amp", stype="EEG", ch_names=EEG_15, sfreq=SFREQ,
        units=("uV",) * N_CHANNELS,
    )  # fmt: skip
    spec = SignalSpec(ch_names=EEG_15)
    return tracked(SignalTrack(spec, info, keep_s=4.0, interpolate=False))


def banked_signal_track() -> Step:
    info = StreamInfo(
        modality="eeg", name="amp", stype="EEG", ch_names=EEG_15, sfreq=SFREQ,
        units=("uV",) * N_CHANNELS,
    )  # fmt: skip
    spec = SignalSpec(ch_names=EEG_15, bands_hz={"theta": (4.0, 8.0), "beta": (12.0, 30.0)})
    return tracked(SignalTrack(spec, info, keep_s=4.0, interpolate=False))


def frame_track() -> Step:
    info = StreamInfo(modality="face", name="cam", stype="Face", ch_names=EEG_15, sfreq=0.0)
    return tracked(FrameTrack(FrameSpec(ch_names=EEG_15), info, keep_s=4.0))


def cleaned() -> Step:
    """The first sample of each block is a frame, each channel a region."""
    cleaner = RoiCleaner(N_CHANNELS, CleaningSpec(window_s=0.5))
    stamps_of = Stamps()

    def run(samples: np.ndarray) -> np.ndarray:
        data, stamps = firsts_of_blocks(samples, stamps_of(samples))
        pairs = zip(data.T, stamps.tolist(), strict=True)
        frames = [cleaner.push(frame, stamp_s=stamp_s) for frame, stamp_s in pairs]
        return np.array(frames).reshape(-1, N_CHANNELS).T

    return Step(run=run, state=(cleaner,), any_cut=True, reset=cleaner.reset)


def firsts_of_blocks(samples: np.ndarray, stamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first = np.round(stamps * SFREQ) % N_BLOCK == 0
    return samples[:, first], stamps[first]


def normalised() -> Step:
    normaliser = RunningNormaliser(N_CHANNELS, variance_floor=0.01, clip=4.0)

    def run(samples: np.ndarray) -> np.ndarray:
        frames = [normaliser.push(frame) for frame in samples.T]
        return np.array(frames).reshape(-1, N_CHANNELS).T

    return Step(run=run, state=(normaliser,), any_cut=True, reset=normaliser.reset)


def regridded() -> Step:
    """Each sample is a volume."""
    grid = VolumeGrid((2, 3, 2), None, of_shape=(5, 3, 1), of_affine=np.diag([3.0, 3.0, 4.0, 1.0]))

    def run(samples: np.ndarray) -> np.ndarray:
        return np.array([grid.resample(volume) for volume in samples.T]).reshape(-1, 12).T

    return Step(run=run, state=(grid,), any_cut=True)


def acquired_track() -> Step:
    """The first sample of each block is a frame; out comes the last sample of its window."""
    info = StreamInfo(modality="roi", name="scanner", stype="fMRI", ch_names=EEG_15, sfreq=0.0)
    spec = RoiSpec(ch_names=EEG_15[::-1], sfreq=16.0, cleaning=CleaningSpec(window_s=0.5))
    track = AcquiredTrack(spec, info, window_s=0.25, hop_s=1 / BLOCKS_PER_S)
    stamps_of = Stamps()

    def run(samples: np.ndarray) -> np.ndarray:
        data, stamps = firsts_of_blocks(samples, stamps_of(samples))
        pushed = track.push(Chunk("roi", data, stamps, stamps_of.now))
        last = [track.window(track.t_newest, silent=False).data[:, -1] for _ in pushed]
        return np.array(last).reshape(-1, N_CHANNELS).T

    return Step(run=run, state=(track,), any_cut=True)


def tracked(track: SignalTrack | FrameTrack) -> Step:
    """One stream's whole chain; out come the grid samples that are settled for good."""
    stamps_of = Stamps()
    m_read = round(Stamps.t_start * track.sfreq)

    def run(samples: np.ndarray) -> np.ndarray:
        nonlocal m_read
        stamps = stamps_of(samples)
        for _ in track.push(Chunk(track.info.modality, samples, stamps, stamps_of.now)):
            pass
        if track.m_reached <= m_read:
            return np.empty((track.spec.n_rows, 0))
        settled = track.window(m_read / track.sfreq, track.m_reached / track.sfreq, silent=False)
        m_read = track.m_reached
        return settled.data[:, ~np.isnan(settled.data).all(axis=0)]  # NaN says that there is none

    return Step(run=run, state=(track,), any_cut=True)


def without_gradients() -> Step:
    """Markers say that a scan begins; nothing repeats. What is withheld counts as 0."""
    limits = np.full(N_CHANNELS, np.inf)
    corrector = GradientCorrector(GradientSpec(longest_tr_s=1.0), sfreq=SFREQ, limits=limits)
    for second in (1.0, 1.5):
        corrector.mark(second * SFREQ)
    return Step(
        run=lambda samples: np.nan_to_num(corrector.push(samples)),
        state=(corrector,),
        any_cut=True,
    )


def without_pulse() -> Step:
    picks = range(N_CHANNELS - 1)
    corrector = PulseCorrector(PulseSpec(), sfreq=SFREQ, picks=picks, ecg=N_CHANNELS - 1)
    return Step(
        run=lambda samples: np.nan_to_num(corrector.push(samples)),
        state=(corrector,),
        any_cut=True,
    )


class Stamps:
    """Stamps of samples that follow one another; each arrives at its own time."""

    t_start = 100.0

    def __init__(self) -> None:
        self.n = 0

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        stamps = self.t_start + (self.n + np.arange(samples.shape[1])) / SFREQ
        self.n += samples.shape[1]
        return stamps

    @property
    def now(self) -> float:
        return self.t_start + self.n / SFREQ


EVERY: dict[str, tuple[str, Callable[[], Step]]] = {
    "high-pass": ("filters", filtered),
    "filter bank": ("filters", banked),
    "average reference": ("reference", referenced),
    "no reference": ("reference", unreferenced),
    "montage": ("montage", picked),
    "montage with a rebuilt channel": ("montage", rebuilt),
    "quality": ("quality", judged),
    "timeline, blocks and resampler": ("timeline blocks resample", placed),
    "signals, from chunks to windows": ("signals track ring", signal_track),
    "signals with a filter bank": ("signals track ring filters", banked_signal_track),
    "gradient artifacts": (
        "mr_artifact volume_clock volume_template fractional",
        without_gradients,
    ),
    "pulse artifacts": ("pulse_artifact heartbeat", without_pulse),
    "frames, from chunks to windows": ("frames frame_stamps track ring", frame_track),
    "cleaning of regions": ("roi_cleaning", cleaned),
    "normalising over a run": ("roi_cleaning", normalised),
    "volumes on another grid": ("volume_grid", regridded),
    "acquired frames, from chunks to windows": ("acquired frame_readers track", acquired_track),
}
"""By name: the modules of signal/ that it stands for, and how one is made."""

RESET = [name for name, (_, make) in EVERY.items() if make().reset]
CUTS = st.lists(st.integers(0, N_BLOCK * N_BLOCKS), max_size=60)


def eeg(seed: int, n_blocks: int = N_BLOCKS) -> np.ndarray:
    """Return samples that nobody can change."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0.0, 20.0, (N_CHANNELS, N_BLOCK * n_blocks))
    samples.flags.writeable = False
    return samples


def cut(samples: np.ndarray, at: Iterable[int] = ()) -> list[np.ndarray]:
    """Return pieces, empty ones too; by default the blocks on absolute time."""
    edges = sorted(at) or range(N_BLOCK, samples.shape[1], N_BLOCK)
    return np.split(samples, list(edges), axis=1)


def run(step: Step, pieces: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([step.run(piece) for piece in pieces], axis=1)


def test_every_file_of_signal_is_held_to_the_contract() -> None:
    registered = {module for of, _ in EVERY.values() for module in of.split()}
    assert {path.stem for path in SIGNAL.glob("*.py")} == registered | HELPERS


@pytest.mark.parametrize("name", EVERY)
def test_numbers_come_out_and_the_same_ones_again(name: str) -> None:
    samples = eeg(1)  # that a step changes its input would be an error: nobody can write there
    out = run(EVERY[name][1](), cut(samples))
    assert out.shape[1] >= N_BLOCKS
    assert np.isfinite(out).all()
    np.testing.assert_array_equal(run(EVERY[name][1](), cut(samples)), out)


@pytest.mark.parametrize("name", [name for name, (_, make) in EVERY.items() if make().any_cut])
@given(CUTS)
@settings(max_examples=15, deadline=None)
def test_how_samples_are_cut_changes_no_bit(name: str, cuts: list[int]) -> None:
    make, samples = EVERY[name][1], eeg(6)
    np.testing.assert_array_equal(run(make(), cut(samples, cuts)), run(make(), cut(samples)))


@pytest.mark.parametrize("name", EVERY)
def test_the_future_changes_nothing_that_was_said(name: str) -> None:
    step = EVERY[name][1]()
    said = [step.run(piece) for piece in cut(eeg(2))]
    before = [part.copy() for part in said]
    run(step, cut(1e3 * eeg(3)))
    for part, was in zip(said, before, strict=True):
        np.testing.assert_array_equal(part, was)


@pytest.mark.parametrize("name", RESET)
def test_a_reset_forgets(name: str) -> None:
    used, fresh = EVERY[name][1](), EVERY[name][1]()
    assert used.reset
    run(used, cut(1e3 * eeg(4)))
    used.reset()
    np.testing.assert_array_equal(run(used, cut(eeg(5))), run(fresh, cut(eeg(5))))


@pytest.mark.parametrize("name", EVERY)
def test_no_step_grows_the_longer_it_runs(name: str) -> None:
    step = EVERY[name][1]()
    sizes = []
    for minute in range(2):
        run(step, cut(eeg(minute, n_blocks=60 * BLOCKS_PER_S)))
        sizes.append(len(pickle.dumps(step.state)))
    assert sizes[1] <= sizes[0] + 200  # a count of more digits
