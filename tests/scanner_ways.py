"""Each protocol with both its ends: the simulated scanner's and the scanner process's."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from rtaffect.config.scanner_inputs import (
    AfniSettings,
    DicomSettings,
    LslRoiSettings,
    NiftiSettings,
    PynealSettings,
)
from rtaffect.core.clock import monotonic
from rtaffect.scanner.acquired import Acquired, Refused, RoiMeans, ScannerInput, Volume
from rtaffect.scanner.afni import AfniInput
from rtaffect.scanner.inputs import open_input
from rtaffect.scanner.pyneal import PynealInput
from rtaffect.simulate.bold import BoldSettings, SimulatedBold
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.scan import Scan, SimulatedScan
from rtaffect.simulate.scanner_afni import AfniLink
from rtaffect.simulate.scanner_dicom import DicomFormat
from rtaffect.simulate.scanner_faults import parse_scanner_fault
from rtaffect.simulate.scanner_files import FolderLink, NiftiFormat
from rtaffect.simulate.scanner_link import ScannerLink, run_scanner
from rtaffect.simulate.scanner_lsl import LslLink
from rtaffect.simulate.scanner_pyneal import PynealLink
from rtaffect.simulate.volumes import PaintedBold, Parcellation
from rtaffect.sources.lsl_inlet import local_clock

N = 7
TR_S = 2.0
BOLD = SimulatedBold(Participant(5), BoldSettings(n_regions=6, tr_s=TR_S))
PAINTED = PaintedBold(BOLD, Parcellation(n_regions=6, shape=(9, 8, 6)))
SCAN = SimulatedScan(PAINTED, duration_s=N * TR_S)


@dataclass
class Way:
    """One protocol, both ends of it."""

    source: ScannerInput
    link: ScannerLink


@contextmanager
def pyneal(stop: threading.Event, _folder: Path) -> Iterator[Way]:
    settings = PynealSettings(kind="pyneal", address="tcp://127.0.0.1:*")
    with PynealInput(settings, monotonic) as source:
        yield Way(source, PynealLink(source.address, stop))


def afni(version: int) -> Callable[[threading.Event, Path], Any]:
    @contextmanager
    def open_(stop: threading.Event, _folder: Path) -> Iterator[Way]:
        shape = PAINTED.parcellation.shape if version == 2 else None
        with AfniInput(AfniSettings(kind="afni", port=0, shape=shape), monotonic) as source:
            link = AfniLink("127.0.0.1", source.port, stop, version=version)  # type: ignore[arg-type]
            yield Way(source, link)

    return open_


@contextmanager
def nifti(_stop: threading.Event, folder: Path) -> Iterator[Way]:
    settings = NiftiSettings(kind="nifti", folder=str(folder))
    with open_input(settings, monotonic) as source:
        yield Way(source, FolderLink(folder, NiftiFormat()))


@contextmanager
def dicom(_stop: threading.Event, folder: Path) -> Iterator[Way]:
    settings = DicomSettings(kind="dicom", folder=str(folder), series="all")
    with open_input(settings, monotonic) as source:
        yield Way(source, FolderLink(folder, DicomFormat()))


@contextmanager
def lsl(stop: threading.Event, _folder: Path) -> Iterator[Way]:
    identity = f"scan-{uuid4().hex[:8]}"
    link = LslLink(source_id=identity)
    link.begin(SCAN, local_clock())  # the stream has to be there before it is looked for
    settings = LslRoiSettings(kind="lsl", source_id=identity, wait_s=20.0)
    with open_input(settings, local_clock) as source:
        yield Way(source, link)


WAYS = {
    "pyneal": pyneal,
    "afni 0": afni(0),
    "afni 1": afni(1),
    "afni 2": afni(2),
    "afni 3": afni(3),
    "afni 4": afni(4),
    "nifti": nifti,
    "dicom": dicom,
    "lsl": lsl,
}
VOLUMES = ("pyneal", "nifti", "dicom")


def sent(
    name: str, folder: Path, *faults: str, n_expected: int = N, scan: Scan = SCAN
) -> list[Acquired]:
    """Send a run through a protocol as fast as it goes, and return what came out."""
    stop = threading.Event()
    arrived: list[Acquired] = []
    with WAYS[name](stop, folder) as way:
        done = threading.Event()
        failed: list[BaseException] = []

        def send() -> None:
            try:
                run_scanner(
                    scan,
                    way.link,
                    stop=stop,
                    clock=local_clock,
                    faults=[parse_scanner_fault(fault) for fault in faults],
                    paced=False,
                )
            except BaseException as error:  # noqa: BLE001 - the test shows it
                failed.append(error)
            finally:
                done.set()

        if name == "lsl":
            way.source.receive(0.5)  # connects
        thread = threading.Thread(target=send)
        thread.start()
        deadline = monotonic() + 20
        while monotonic() < deadline and not failed:
            arrived += way.source.receive(0.1)
            n_values = sum(isinstance(one, Volume | RoiMeans | Refused) for one in arrived)
            if n_values >= n_expected and done.is_set():
                break
        arrived += way.source.receive(0.2)
        stop.set()
        thread.join()
        way.link.close()
        if failed:
            raise failed[0]
    return arrived


def values(arrived: list[Acquired]) -> list[Volume | RoiMeans]:
    return [one for one in arrived if isinstance(one, Volume | RoiMeans)]
