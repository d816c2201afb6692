"""Causal IIR filters that carry their state from block to block."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import signal

from rtaffect.core.errors import BundleError
from rtaffect.core.spec import SignalSpec

Sos = npt.NDArray[np.float64]
"""Second-order sections, shape (n_sections, 6); no section passes everything unchanged."""

NOTCH_Q = 30.0  # -3 dB width of a notch is its frequency over Q: 1.7 Hz at 50 Hz
FORGOTTEN = 1e-6


class CausalFilter:
    """Runs second-order sections over a signal that comes in blocks.

    The output does not depend on how the signal was cut, to the bit. The state of a new segment is
    the steady state for its first sample, so that a DC offset, which may be a thousand times larger
    than EEG, makes no transient. Samples must be finite: a recursive filter never forgets a NaN.

    Parameters
    ----------
    sos : ndarray of float64, shape (n_sections, 6)
        The filter, see `design`.
    n_channels : int
        Channels of the signal.
    """

    def __init__(self, sos: Sos, n_channels: int) -> None:
        self.sos = sos
        self.n_channels = n_channels
        self._steady = signal.sosfilt_zi(sos) if len(sos) else None
        self._state: npt.NDArray[np.float64] | None = None  # (n_sections, n_channels, 2)

    def reset(self) -> None:
        """Forget the past: the next sample begins a segment."""
        self._state = None

    def process(self, block: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Filter the next samples.

        Parameters
        ----------
        block : ndarray of float64, shape (n_channels, n_times)
            Samples that follow those of the last call.

        Returns
        -------
        ndarray of float64, shape (n_channels, n_times)
            The filtered samples.
        """
        assert block.shape[0] == self.n_channels
        if self._steady is None or block.shape[1] == 0:
            return block
        if self._state is None:
            self._state = self._steady[:, None, :] * block[:, :1]
        filtered, self._state = signal.sosfilt(self.sos, block, axis=-1, zi=self._state)
        return np.asarray(filtered)


def highpass(cutoff_hz: float, *, order: int, sfreq: float) -> Sos:
    """Return a Butterworth high-pass filter.

    Parameters
    ----------
    cutoff_hz : float
        The -3 dB edge in Hz.
    order : int
        Order of the filter.
    sfreq : float
        Sampling rate in Hz.

    Returns
    -------
    ndarray of float64, shape (n_sections, 6)
        Second-order sections.

    Raises
    ------
    BundleError
        The edge is not between 0 and half the sampling rate.
    """
    _check_below_nyquist("high-pass edge", cutoff_hz, sfreq)
    return np.asarray(signal.butter(order, cutoff_hz, "highpass", fs=sfreq, output="sos"))


def notch(line_hz: float, *, sfreq: float, q: float = NOTCH_Q) -> Sos:
    """Return a second-order notch filter.

    Parameters
    ----------
    line_hz : float
        The frequency to remove, in Hz.
    sfreq : float
        Sampling rate in Hz.
    q : float
        Quality: `line_hz` over the -3 dB width.

    Returns
    -------
    ndarray of float64, shape (1, 6)
        One second-order section.

    Raises
    ------
    BundleError
        The frequency is not between 0 and half the sampling rate.
    """
    _check_below_nyquist("notch", line_hz, sfreq)
    return np.concatenate(signal.iirnotch(line_hz, q, fs=sfreq))[None, :]


def filter_bank(
    bands_hz: Mapping[str, tuple[float, float]], *, n_channels: int, sfreq: float, order: int = 3
) -> dict[str, CausalFilter]:
    """Return one Butterworth band-pass filter for each band.

    Parameters
    ----------
    bands_hz : mapping of str to tuple of float
        Lower and upper -3 dB edge of each band in Hz.
    n_channels : int
        Channels of the signal.
    sfreq : float
        Sampling rate in Hz.
    order : int
        Of the low-pass that each filter is made from; the filter itself has twice as many poles.

    Returns
    -------
    dict of str to CausalFilter
        The filters in the order of `bands_hz`, each with its own state.

    Raises
    ------
    BundleError
        A band's edges are not in order between 0 and half the sampling rate.
    """
    bank = {}
    for name, (low_hz, high_hz) in bands_hz.items():
        _check_below_nyquist(f"lower edge of band {name!r}", low_hz, sfreq)
        _check_below_nyquist(f"upper edge of band {name!r}", high_hz, sfreq)
        if not low_hz < high_hz:
            msg = f"Band {name!r} must have its lower edge first; got {low_hz:g} to {high_hz:g} Hz."
            raise BundleError(msg)
        sos = signal.butter(order, [low_hz, high_hz], "bandpass", fs=sfreq, output="sos")
        bank[name] = CausalFilter(np.asarray(sos), n_channels)
    return bank


def settling_time_s(sos: Sos, sfreq: float, *, tolerance: float = FORGOTTEN) -> float:
    """Return how long a filter remembers where its signal began.

    A run that starts later differs from one that started earlier by the tail of the impulse
    response convolved with (past input - first sample). So from the time on at which the sum of
    absolute values of the remaining impulse response is below `tolerance`, the two differ by at
    most `tolerance` times the peak-to-peak of the input. The largest pole radius says how much of
    the response to look at.

    Parameters
    ----------
    sos : ndarray of float64, shape (n_sections, 6)
        The filter.
    sfreq : float
        Sampling rate in Hz.
    tolerance : float
        Difference that counts as none, relative to the input's peak-to-peak.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    BundleError
        The filter is not stable.
    """
    if not len(sos):
        return 0.0
    radius = max((float(abs(np.roots(section[3:])).max()) for section in sos), default=0.0)
    if not radius < 1.0:
        msg = (
            f"A causal filter must be stable (poles inside the unit circle); got radius {radius:g}."
        )
        raise BundleError(msg)
    # squared: what lies beyond is as far below the tolerance as the tolerance is below one
    n_times = 64 + math.ceil(2.0 * math.log(tolerance) / math.log(max(radius, 1e-3)))
    impulse = np.zeros(n_times)
    impulse[0] = 1.0
    tail = np.abs(signal.sosfilt(sos, impulse))[::-1].cumsum()[::-1]
    return int(np.count_nonzero(tail > tolerance)) / sfreq


def design(spec: SignalSpec) -> Sos:
    """Return the filter that a model wants before any bank: high-pass, then notches.

    Parameters
    ----------
    spec : SignalSpec
        The model's signal.

    Returns
    -------
    ndarray of float64, shape (n_sections, 6)
        Second-order sections; none where the model wants no filter.

    Raises
    ------
    BundleError
        A frequency does not fit the rate, or the filter, with the bank behind it, remembers longer
        than `spec.settle_s`.
    """
    sections = [np.empty((0, 6))]
    if spec.highpass_hz:
        sections.append(highpass(spec.highpass_hz, order=spec.highpass_order, sfreq=spec.sfreq))
    sections += [notch(line_hz, sfreq=spec.sfreq) for line_hz in spec.notch_hz]
    sos = np.concatenate(sections)
    bank = filter_bank(spec.bands_hz, n_channels=1, sfreq=spec.sfreq, order=spec.bands_order)
    chains = [np.concatenate([sos, band.sos]) for band in bank.values()] or [sos]
    needed_s = max(settling_time_s(chain, spec.sfreq) for chain in chains)
    if needed_s > spec.settle_s:
        msg = (
            f"settle_s must cover what the filters remember, {needed_s:.3g} s; "
            f"got {spec.settle_s:g} s. Raise settle_s in the bundle's manifest, or the lowest edge."
        )
        raise BundleError(msg)
    return sos


def _check_below_nyquist(what: str, frequency_hz: float, sfreq: float) -> None:
    if not 0 < frequency_hz < sfreq / 2:
        msg = (
            f"The {what} must lie between 0 and half the sampling rate ({sfreq / 2:g} Hz); "
            f"got {frequency_hz:g} Hz."
        )
        raise BundleError(msg)
