"""Which way in a session means."""

from rtaffect.config.scanner_inputs import (
    AfniSettings,
    DicomSettings,
    LslRoiSettings,
    NiftiSettings,
    PynealSettings,
    ScannerInputSettings,
)
from rtaffect.core.clock import Clock
from rtaffect.scanner.acquired import ScannerInput


def open_input(settings: ScannerInputSettings, clock: Clock) -> ScannerInput:
    """Open a way in.

    Parameters
    ----------
    settings : one of the settings classes of `rtaffect.config.scanner_inputs`
        Which way, and how it is set up.
    clock : callable
        The runtime's clock.

    Returns
    -------
    ScannerInput
        The open input; close it.

    Raises
    ------
    ScannerError
        A port is taken, a folder is not there, a stream does not answer.
    """
    match settings:
        case PynealSettings():
            from rtaffect.scanner.pyneal import PynealInput

            return PynealInput(settings, clock)
        case AfniSettings():
            from rtaffect.scanner.afni import AfniInput

            return AfniInput(settings, clock)
        case DicomSettings():
            from rtaffect.scanner.dicom_series import DicomReader
            from rtaffect.scanner.folder import FolderInput

            return FolderInput(settings, DicomReader(settings), clock)
        case NiftiSettings():
            from rtaffect.scanner.folder import FolderInput
            from rtaffect.scanner.nifti import NiftiReader

            return FolderInput(settings, NiftiReader(settings), clock)
        case LslRoiSettings():
            from rtaffect.scanner.lsl_input import LslInput

            return LslInput(settings, clock)
