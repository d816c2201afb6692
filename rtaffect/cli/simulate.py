"""``rtaffect simulate``: a simulated participant on the network, in a scanner if need be."""

import math
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rtaffect.simulate.fault import Fault
    from rtaffect.simulate.scanner_faults import ScannerFault

SCANNER = "The scanner"
"""Options that belong together."""


def simulate(
    seed: Annotated[int, typer.Option(min=0, help="Who it is.")] = 1,
    session: Annotated[
        int, typer.Option(min=0, help="Another session has another course and other noise.")
    ] = 0,
    coupling: Annotated[
        float,
        typer.Option(min=0.0, max=2.0, help="How much of the course shows: 0 nothing, 1 as set."),
    ] = 1.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="What goes wrong; may be given again. `--faults` lists them all."),
    ] = None,
    faults: Annotated[bool, typer.Option("--faults", help="List the faults and stop.")] = False,
    duration: Annotated[
        float, typer.Option(min=1.0, help="Length in seconds; until Ctrl-C unless given.")
    ] = math.inf,
    sfreq: Annotated[
        float | None,
        typer.Option(min=64.0, max=20000.0, help="EEG rate in Hz. Default: 512; 5000 with --mr."),
    ] = None,
    name: Annotated[str, typer.Option(help="How the streams' names begin.")] = "Simulated",
    source_id: Annotated[
        str, typer.Option(help="How their source_id begins; without it seed and process.")
    ] = "",
    scanner: Annotated[
        Literal["pyneal", "afni", "nifti", "dicom", "lsl"] | None,
        typer.Option(
            rich_help_panel=SCANNER,
            help="The person lies in a scanner whose software speaks this protocol, or writes "
            "these files.",
        ),
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            rich_help_panel=SCANNER,
            help="Where it sends: tcp://127.0.0.1:5555 (pyneal), 127.0.0.1:53214 (afni), a folder.",
        ),
    ] = "",
    scan: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=SCANNER,
            help="Send this NIfTI file, or table of regions, instead of a simulated participant.",
        ),
    ] = None,
    tr: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=SCANNER,
            min=0.1,
            max=10.0,
            help="Repetition time in seconds. Default: 2, or what the file says.",
        ),
    ] = None,
    mr: Annotated[
        bool,
        typer.Option(
            "--mr",
            rich_help_panel=SCANNER,
            help="The EEG has gradient and pulse artifacts, an ECG, and R128 markers.",
        ),
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=SCANNER,
            help="First write the volumes' label image here, and names beside it.",
        ),
    ] = None,
    afni_version: Annotated[
        int,
        typer.Option(
            rich_help_panel=SCANNER,
            min=0,
            max=4,
            help="0 motion, 1 with means, 2 and 3 with voxels, 4 with both.",
        ),
    ] = 1,
    scan_after: Annotated[
        float,
        typer.Option(
            rich_help_panel=SCANNER, min=0.0, help="Scanning begins so many seconds after the EEG."
        ),
    ] = 10.0,
    unpaced: Annotated[
        bool,
        typer.Option(
            "--unpaced", rich_help_panel=SCANNER, help="Send as fast as the receiver takes."
        ),
    ] = False,
) -> None:
    """Send EEG, face and markers of a participant who does not exist, over LSL.

    Example: rtaffect simulate --fault drop@20+0.5 --fault face:death@30+5

    Example: rtaffect simulate --scanner pyneal --labels labels.nii.gz --fault scanner:drop@40+4

    Valence and arousal follow a known course. Everything it sends is marked as simulated.
    """
    from rtaffect.core.errors import ConfigError
    from rtaffect.core.mr import LEAST_SFREQ
    from rtaffect.simulate.faults import describe_faults
    from rtaffect.simulate.mr import MagnetSettings
    from rtaffect.simulate.participant import Participant
    from rtaffect.simulate.scanner_faults import describe_scanner_faults
    from rtaffect.simulate.scanner_lsl import WAIT_S
    from rtaffect.simulate.scanner_sender import ScannerPlan, run_scanned
    from rtaffect.simulate.sender import run_sender

    if faults:
        typer.echo(f"{describe_faults()}\n{describe_scanner_faults()}")
        return
    wrong, of_scanner = _parsed(fault or [])
    if scanner is None and (of_scanner or to or scan or labels or unpaced or (tr and not mr)):
        msg = "Which protocol the scanner speaks must be said: give --scanner, as --scanner pyneal."
        raise ConfigError(msg)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    length = "until Ctrl-C" if math.isinf(duration) else f"for {duration:g} s"
    of_nobody = f"Sending simulated participant {seed} {length}; nobody is measured."
    participant = Participant(seed, coupling=coupling, session=session)
    magnet = MagnetSettings(tr_s=tr or 2.0, start_s=scan_after) if mr else None
    sfreq = sfreq or (LEAST_SFREQ if mr else 512.0)
    if scanner is None:
        typer.echo(of_nobody, err=True)
        run_sender(
            participant,
            stop=stop,
            faults=wrong,
            duration_s=duration,
            sfreq=sfreq,
            name=name,
            source_id=source_id,
            magnet=magnet,
        )
        return

    def tell() -> None:
        typer.echo(of_nobody if scan is None else f"Sending {scan.name} by {scanner}.", err=True)
        if scanner == "lsl" and unpaced:
            typer.echo(f"Frames leave once somebody receives them; waits {WAIT_S:g} s.", err=True)

    n_sent = run_scanned(
        participant,
        ScannerPlan(
            kind=scanner,
            to=to,
            scan=scan,
            tr_s=tr,
            start_s=scan_after,
            labels=labels,
            afni_version=afni_version,
            paced=not unpaced,
            faults=tuple(of_scanner),
            source_id=f"{source_id}-roi" if source_id else "",
        ),
        stop=stop,
        faults=wrong,
        duration_s=duration,
        sfreq=sfreq,
        name=name,
        source_id=source_id,
        magnet=magnet,
        on_ready=tell,
    )
    typer.echo(f"{n_sent} volumes left the scanner.", err=True)


def _parsed(texts: list[str]) -> "tuple[list[Fault], list[ScannerFault]]":
    """Return faults of streams, and those of the scanner."""
    from rtaffect.simulate.faults import parse_fault
    from rtaffect.simulate.scanner_faults import parse_scanner_fault

    of_scanner = [text for text in texts if text.strip().startswith("scanner:")]
    return (
        [parse_fault(text) for text in texts if text not in of_scanner],
        [parse_scanner_fault(text.strip()) for text in of_scanner],
    )
