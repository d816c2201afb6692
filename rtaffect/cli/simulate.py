"""``rtaffect simulate``: a simulated participant on the network."""

import math
import signal
import threading
from typing import Annotated

import typer


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
    mr: Annotated[
        bool,
        typer.Option(
            "--mr",
            help="Inside a running scanner: gradient and pulse artifacts, an ECG, R128 markers.",
        ),
    ] = False,
    tr: Annotated[float, typer.Option(min=0.2, max=20.0, help="With --mr: TR in seconds.")] = 2.0,
    name: Annotated[str, typer.Option(help="How the streams' names begin.")] = "Simulated",
    source_id: Annotated[
        str, typer.Option(help="How their source_id begins; without it seed and process.")
    ] = "",
) -> None:
    """Send EEG, face and markers of a participant who does not exist, over LSL.

    Example: rtaffect simulate --fault drop@20+0.5 --fault face:death@30+5

    Valence and arousal follow a known course. Everything it sends is marked as simulated.
    """
    from rtaffect.core.mr import LEAST_SFREQ
    from rtaffect.simulate.faults import describe_faults, parse_fault
    from rtaffect.simulate.mr import MagnetSettings
    from rtaffect.simulate.participant import Participant
    from rtaffect.simulate.sender import run_sender

    if faults:
        typer.echo(describe_faults())
        return
    wrong = [parse_fault(text) for text in fault or ()]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    length = "until Ctrl-C" if math.isinf(duration) else f"for {duration:g} s"
    typer.echo(f"Sending simulated participant {seed} {length}; nobody is measured.", err=True)
    run_sender(
        Participant(seed, coupling=coupling, session=session),
        stop=stop,
        faults=wrong,
        duration_s=duration,
        sfreq=sfreq or (LEAST_SFREQ if mr else 512.0),
        magnet=MagnetSettings(tr_s=tr) if mr else None,
        name=name,
        source_id=source_id,
    )
