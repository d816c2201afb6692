"""A simulated scanner on its own, or beside EEG and face of the one who lies in it."""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as StopEvent
from typing import Literal, get_args

from rtaffect.core.clock import Clock
from rtaffect.core.errors import ConfigError
from rtaffect.simulate.bold import BoldSettings, SimulatedBold
from rtaffect.simulate.fault import Fault
from rtaffect.simulate.mr import MagnetSettings
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.scan import Scan, SimulatedScan, open_scan, write_labels
from rtaffect.simulate.scanner_afni import AfniLink
from rtaffect.simulate.scanner_faults import ScannerFault
from rtaffect.simulate.scanner_link import ScannerLink, check_faults, run_scanner
from rtaffect.simulate.sender import LEAD_S, run_sender
from rtaffect.simulate.volumes import PaintedBold
from rtaffect.sources.lsl_inlet import local_clock

Kind = Literal["pyneal", "afni", "nifti", "dicom", "lsl"]
KINDS: tuple[str, ...] = get_args(Kind)
TO = {"pyneal": "tcp://127.0.0.1:5555", "afni": "127.0.0.1:53214"}
"""Where volumes go unless somebody says otherwise; files need a folder, LSL needs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerPlan:
    """How a simulated scanner is set up.

    Parameters
    ----------
    kind : {"pyneal", "afni", "nifti", "dicom", "lsl"}
        Which protocol it speaks.
    to : str
        Address of the receiver, or folder; "" is the protocol's own default.
    scan : Path or None
        NIfTI file or table of regions to send; None scans the simulated participant.
    tr_s : float or None
        Repetition time in seconds; None is the file's, or the simulation's.
    start_s : float
        When scanning begins, in seconds after EEG and face of the simulated participant: who is to
        hear the first pulse has to be there by then.
    labels : Path or None
        Where the label image of the volumes is written first, see
        `rtaffect.simulate.scan.write_labels`.
    afni_version : int
        See `rtaffect.simulate.scanner_afni.AfniLink`.
    paced : bool
        False sends as fast as the receiver takes.
    faults : tuple of ScannerFault
        What goes wrong.
    source_id : str
        Of the stream that `lsl` opens.
    """

    kind: Kind
    to: str = ""
    scan: Path | None = None
    tr_s: float | None = None
    start_s: float = 10.0
    labels: Path | None = None
    afni_version: int = 1
    paced: bool = True
    faults: tuple[ScannerFault, ...] = ()
    source_id: str = ""


def open_link(plan: ScannerPlan, stop: StopEvent) -> ScannerLink:
    """Open the way out that a plan names.

    Raises
    ------
    ConfigError
        The address is none, or a folder is needed and not named.
    ScannerError
        The folder is not there.
    """
    to = plan.to or TO.get(plan.kind, "")
    if plan.kind == "pyneal":
        from rtaffect.simulate.scanner_pyneal import PynealLink

        return PynealLink(to, stop)
    if plan.kind == "afni":
        host, _, port = to.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            msg = f"AFNI's receiver is given as host:port, like {TO['afni']}, got {to!r}."
            raise ConfigError(msg)
        return AfniLink(host, int(port), stop, version=plan.afni_version)
    if plan.kind == "lsl":
        from rtaffect.simulate.scanner_lsl import WAIT_S, LslLink

        return LslLink(
            source_id=plan.source_id,
            simulated=plan.scan is None,
            stop=stop,
            wait_s=0.0 if plan.paced else WAIT_S,
        )
    from rtaffect.simulate.scanner_dicom import DicomFormat
    from rtaffect.simulate.scanner_files import FolderLink, NiftiFormat

    if not to:
        msg = "A scanner that writes files needs a folder: name one, as --to /tmp/volumes."
        raise ConfigError(msg)
    return FolderLink(Path(to), DicomFormat() if plan.kind == "dicom" else NiftiFormat())


def run_scanned(
    participant: Participant,
    plan: ScannerPlan,
    *,
    stop: StopEvent,
    faults: Sequence[Fault] = (),
    duration_s: float = math.inf,
    sfreq: float = 512.0,
    name: str = "Simulated",
    source_id: str = "",
    magnet: MagnetSettings | None = None,
    clock: Clock = local_clock,
    on_ready: Callable[[], None] = lambda: None,
) -> int:
    """Send a scan; of the simulated participant with EEG, face, markers, pulses and the truth.

    Parameters
    ----------
    participant : Participant
        Who lies in the scanner, if the plan names no file.
    plan : ScannerPlan
        The scanner.
    stop, faults, duration_s, sfreq, name, source_id, magnet, clock
        As of `rtaffect.simulate.sender.run_sender`.
    on_ready : callable
        Called once what was asked for turned out to be possible, before anything leaves.

    Returns
    -------
    int
        How many volumes left.

    Raises
    ------
    ConfigError
        The plan, or a file that it names, is not usable.
    ScannerError
        Nobody receives, or the receiver went away.
    PublishError
        LSL refuses to send.
    """
    settings = BoldSettings(start_s=plan.start_s)
    if plan.tr_s is not None:
        settings = replace(settings, tr_s=plan.tr_s)
    scanned = (
        SimulatedScan(PaintedBold(SimulatedBold(participant, settings)), duration_s)
        if plan.scan is None
        else open_scan(plan.scan, tr_s=plan.tr_s)
    )
    link = open_link(plan, stop)
    try:
        check_faults(plan.faults, link)
        if plan.labels is not None:
            write_labels(scanned, plan.labels)
    except BaseException:
        link.close()
        raise
    on_ready()
    t_start = clock() + LEAD_S
    if plan.scan is not None:
        return _run(plan, scanned, link, stop, t_start, clock)
    failed: list[BaseException] = []
    n_sent: list[int] = []

    def scan() -> None:
        try:
            n_sent.append(_run(plan, scanned, link, stop, t_start + plan.start_s, clock))
        except BaseException as error:  # noqa: BLE001 - raised below, by the thread that is asked
            failed.append(error)
            stop.set()

    thread = threading.Thread(target=scan, name="scanner")
    thread.start()
    try:
        run_sender(
            participant,
            stop=stop,
            faults=faults,
            duration_s=duration_s,
            sfreq=sfreq,
            name=name,
            source_id=source_id,
            magnet=magnet,
            clock=clock,
            t_start=t_start,
            scan=settings,
        )
    except BaseException:
        stop.set()
        raise
    finally:
        thread.join()
    if failed:
        raise failed[0]
    return n_sent[0]


def _run(
    plan: ScannerPlan,
    scan: Scan,
    link: ScannerLink,
    stop: StopEvent,
    t_start: float,
    clock: Clock,
) -> int:
    try:
        return run_scanner(
            scan,
            link,
            stop=stop,
            clock=clock,
            t_start=t_start,
            faults=plan.faults,
            paced=plan.paced,
        )
    finally:
        link.close()
