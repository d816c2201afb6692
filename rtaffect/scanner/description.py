"""What the stream of ROI frames says of itself."""

import math
from collections.abc import Mapping

from rtaffect.config.scanner import ScannerSettings, TriggerTime
from rtaffect.config.scanner_inputs import AfniSettings, DicomSettings
from rtaffect.core.atlas import RegionTable
from rtaffect.core.streams import StreamInfo
from rtaffect.core.volume_message import VOLUME_MODALITY, VOLUME_STYPE
from rtaffect.signal.acquired import DETREND_KEY, already_cleaned


def describe(
    settings: ScannerSettings,
    regions: RegionTable | None,
    *,
    tr_s: float,
    sent: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the description of a stream of frames, by dotted key; see docs/roi-stream.md.

    Parameters
    ----------
    settings : ScannerSettings
        How the process is set up.
    regions : RegionTable or None
        The regions; None for whole volumes.
    tr_s : float
        Repetition time in seconds, NaN where unknown.
    sent : mapping of str to str, optional
        What the sender of means says of them: what it cleaned stays said.
    """
    time = settings.time_in_force()
    about = {
        "acquisition.time_reference": "mid",
        "acquisition.time_source": time.kind,
        "acquisition.delay_s": f"{time.delay_s:g}",
        "processing.motion_correction": _motion_correction(settings),
    }
    if math.isfinite(tr_s):
        about["acquisition.tr_s"] = f"{tr_s:g}"
    if isinstance(time, TriggerTime):
        about["acquisition.n_dummy"] = str(time.n_dummy)
        about["acquisition.volume_trigger"] = time.text
    if regions is None:
        return about
    cleaning = settings.cleaning
    glm = cleaning is not None and cleaning.detrend == "glm"
    about |= {
        "atlas.name": regions.name,
        "processing.detrend": "glm" if glm else "none",
        "processing.despike": "kalman" if cleaning is not None and cleaning.despike else "none",
        "processing.normalisation": "none",
        "processing.causal": "1",
    }
    if cleaning is not None:
        about["processing.n_settle"] = str(cleaning.n_settle)
        if glm:
            about["processing.detrend_window_s"] = f"{cleaning.window_s:g}"
    done = already_cleaned(sent or {})
    if DETREND_KEY in done:
        about.pop("processing.detrend_window_s", None)
    about |= done
    if regions.licence:
        about["atlas.licence"] = regions.licence
    if settings.labels is not None and settings.labels.space is not None:
        about["atlas.space"] = settings.labels.space
    return about


def describe_volumes(settings: ScannerSettings) -> StreamInfo:
    """Return the description of the stream of whole volumes."""
    tr_s = math.nan if settings.tr_s is None else settings.tr_s
    return StreamInfo(
        modality=VOLUME_MODALITY,
        name=f"{settings.name}-volumes",
        stype=VOLUME_STYPE,
        source_id=f"{settings.source_id}-volumes",
        ch_names=(),
        sfreq=0.0,
        simulated=settings.simulated,
        about=describe(settings, None, tr_s=tr_s),
    )


def _motion_correction(settings: ScannerSettings) -> str:
    """Return who aligned the volumes, as far as the way in tells."""
    if isinstance(settings.input, AfniSettings):
        return "afni"
    if isinstance(settings.input, DicomSettings) and settings.input.series == "moco":
        return "scanner"
    return "unknown"
