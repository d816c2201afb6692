"""What must hold of the windows that a bundle declares, whoever wrote the bundle."""

import math
from collections.abc import Iterator

from rtaffect.core.spec import (
    GRID,
    AcquiredSpec,
    CleaningSpec,
    FrameSpec,
    ModalitySpec,
    RoiSpec,
    SignalSpec,
    VolumeSpec,
    WindowSpec,
)

MAX_VALUES = 1 << 26
"""Numbers in one array that a manifest can make the runtime keep: 256 MiB, far beyond any model."""

MAX_BANDS_ORDER = 8
"""Beyond it a narrow band-pass filter is no longer stable in float64."""

MAX_SIDE = 1024
"""Voxels along one axis of a volume."""

MAX_S = 3600.0
"""No time in the description of a frame is longer."""

MAX_WAIT_S = 300.0
"""Nobody waits longer for a sample; a silence of twice as long is one of which not all is told."""

SHORTEST_HOP_S = 0.1
"""No scanner is faster; of one that is silent, as many windows must tell."""


def window_problems(windows: WindowSpec) -> list[str]:
    """Return in words all that is wrong with windows; nothing where they are sound."""
    problems = []
    if not 0 <= windows.max_wait_s <= MAX_WAIT_S or windows.stale_s <= 0:
        problems.append(
            f"windows.max_wait_s must be from 0 to {MAX_WAIT_S:g} and windows.stale_s above 0, "
            f"got {windows.max_wait_s} s and {windows.stale_s} s"
        )
    if not (windows.hop_s > 0 and windows.window_s > 0):
        problems.append(
            "windows.window_s and windows.hop_s must be above 0 (on the grid, the first a "
            f"whole number of hops), got {windows.window_s} s and {windows.hop_s} s"
        )
        return problems
    problems += _closing_problems(windows)
    for modality, spec in windows.modalities.items():
        where = f"windows.modalities.{modality}"
        problems += [f"{where}{problem}" for problem in _common_problems(spec, windows)]
        match spec:
            case SignalSpec():
                found = _signal_problems(spec, windows)
            case RoiSpec() | VolumeSpec():
                found = _acquired_problems(spec)
            case FrameSpec():
                found = iter(())
        problems += [f"{where}.{problem}" for problem in found]
    if not windows.modalities or all(spec.optional for spec in windows.modalities.values()):
        problems.append("windows.modalities must hold at least one that is not optional")
    return problems


def _closing_problems(windows: WindowSpec) -> Iterator[str]:
    """Yield what does not fit the way in which windows close."""
    acquired = {m for m, spec in windows.modalities.items() if isinstance(spec, AcquiredSpec)}
    if windows.closes == GRID:
        if not _is_whole(windows.window_s / windows.hop_s):
            yield (
                "windows.window_s must be a whole number of hops, "
                f"got {windows.window_s} s and {windows.hop_s} s"
            )
        if acquired:
            yield (
                f"windows.closes must name one of {', '.join(sorted(acquired))}, whose frames "
                "close windows: on the grid they would keep others waiting"
            )
        return
    if windows.closes not in acquired:
        yield (
            f"windows.closes must be {GRID!r} or a modality of kind 'roi' or 'volume', "
            f"got {windows.closes!r}"
        )
    if others := set(windows.modalities) - acquired:
        yield (
            "windows.modalities must all be of kind 'roi' or 'volume' where frames close windows; "
            f"{', '.join(sorted(others))} must have a model of their own"
        )
    if windows.hop_s < SHORTEST_HOP_S:
        yield (
            f"windows.hop_s must be at least {SHORTEST_HOP_S} s where frames close windows, "
            f"got {windows.hop_s} s"
        )
    if windows.window_s < windows.hop_s:
        yield (
            "windows.window_s must be at least hop_s, the distance of frames, "
            f"got {windows.window_s} s and {windows.hop_s} s"
        )
    if not windows.hop_s <= windows.stale_s <= MAX_S:
        yield (
            "windows.stale_s must be at least hop_s where frames close windows, or every frame "
            f"would be stale before the next; got {windows.stale_s} s and {windows.hop_s} s"
        )


def _common_problems(spec: ModalitySpec, windows: WindowSpec) -> Iterator[str]:
    names = spec.ch_names
    if isinstance(spec, VolumeSpec):
        if names:
            yield ".ch_names must be empty: voxels have no names"
    elif not names or len(set(names)) != len(names):
        yield ".ch_names must be one or more different names"
    if not (spec.sfreq > 0 and _is_whole(spec.sfreq * windows.window_s)):
        yield f".sfreq must give a whole number of samples a window, got {spec.sfreq} Hz"
    kept_s = windows.window_s + windows.max_wait_s + windows.stale_s
    if kept_s * spec.sfreq * spec.n_rows > MAX_VALUES:
        yield f" must not have more than {MAX_VALUES} samples to keep"


def _signal_problems(spec: SignalSpec, windows: WindowSpec) -> Iterator[str]:
    if not 0 < spec.resample_half_s <= windows.window_s:
        yield (
            f"resample_half_s must be above 0 and at most window_s, got {spec.resample_half_s} s"
        )
    if spec.highpass_hz * 2 >= spec.sfreq:
        yield f"highpass_hz must lie below half of sfreq, got {spec.highpass_hz} Hz"
    yield from _bank_problems(spec)


def _acquired_problems(spec: AcquiredSpec) -> Iterator[str]:
    """Yield what is out of range; a number that is none is out of every range."""
    ranges = {
        "max_gap_s": (1 / spec.sfreq if spec.sfreq > 0 else math.inf, MAX_S),
        "new_run_s": (spec.max_gap_s, MAX_S),
        "lag_s": (0.0, 60.0),
        "n_settle": (0, 4096),
        "variance_floor": (1e-12, 1e12),
        "clip": (1e-3, 1e9),
        "min_coverage": (0.0, 1.0),
    }
    if isinstance(spec, RoiSpec):
        ranges["max_missing"] = (0.0, 1.0)
    yield from _out_of_range(spec, ranges)
    if isinstance(spec, VolumeSpec):
        yield from _grid_problems(spec)
    elif spec.cleaning is not None:
        wrong = _out_of_range(
            spec.cleaning,
            {
                "window_s": (1.0, MAX_S),
                "despike_process": (1e-6, 1e6),
                "despike_limit_sd": (1e-3, 1e6),
            },
        )
        yield from (f"cleaning.{problem}" for problem in wrong)


def _out_of_range(
    spec: AcquiredSpec | CleaningSpec, ranges: dict[str, tuple[float, float]]
) -> Iterator[str]:
    for name, (low, high) in ranges.items():
        value = getattr(spec, name)
        if not low <= value <= high:
            yield f"{name} must be from {low:g} to {high:g}, got {value}"


def _grid_problems(spec: VolumeSpec) -> Iterator[str]:
    if not all(0 < n <= MAX_SIDE for n in spec.shape):
        yield f"shape must have sides from 1 to {MAX_SIDE} voxels, got {spec.shape}"
    if spec.affine is None:
        return
    (a, b, c, _), (d, e, f, _), (g, h, i, _), last = spec.affine
    volume_mm3 = abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))
    if (
        not all(math.isfinite(number) for row in spec.affine for number in row)
        or last != (0.0, 0.0, 0.0, 1.0)
        or not volume_mm3 > 0
    ):
        yield (
            "affine must be 4 x 4 numbers that turn voxels into millimetres along three axes, "
            f"got {spec.affine}"
        )


def _bank_problems(spec: SignalSpec) -> list[str]:
    problems = []
    if not 1 <= spec.bands_order <= MAX_BANDS_ORDER:
        problems.append(f"bands_order must be from 1 to {MAX_BANDS_ORDER}, got {spec.bands_order}")
    bands = list(spec.bands_hz.values())
    if not all(0 < low < high < spec.sfreq / 2 for low, high in bands):
        problems.append(
            f"bands_hz must hold edges between 0 and half of sfreq, the lower first, got {bands}"
        )
    # Rows follow the bands; JSON that some tool has sorted by name must not change them.
    if bands != sorted(bands) or len(set(bands)) < len(bands):
        problems.append(f"bands_hz must hold different bands in rising order, got {bands}")
    return problems


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) < 1e-9
