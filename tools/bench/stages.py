"""Each stage by itself: head, encoder against scipy, window chain, messages."""

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.signal import welch
from shared import LIVE_BUNDLE, machine, one_core, open_bundle, p50_p99, table, timed_ms

from rtaffect import wire
from rtaffect.core.streams import Chunk, Event
from rtaffect.core.window import Window
from rtaffect.decode.decoder import Decoder
from rtaffect.decode.session import GraphRunner
from rtaffect.publish.messages import estimate_body
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource
from rtaffect.windows import open_chain

BANDS_HZ = ((4, 8), (8, 10), (8, 12), (12, 30), (30, 45))
CHAIN_S = 30.0


def reference(eeg: npt.NDArray[np.float32], sfreq: float) -> None:
    """Do with scipy and numpy what the encoder does: Welch, five bands, Pearson."""
    freqs_hz, power = welch(eeg, fs=sfreq, nperseg=128)
    bands = [power[:, (low <= freqs_hz) & (freqs_hz < high)].mean(axis=1) for low, high in BANDS_HZ]
    np.corrcoef(np.log(np.stack(bands, axis=1)))


def recut(events: list[Event], n_times: int) -> list[Event]:
    """Return the events with EEG chunks of `n_times` samples."""
    cut: list[Event] = []
    for event in events:
        if isinstance(event, Chunk) and event.modality == "eeg":
            cut += [
                Chunk(
                    "eeg",
                    event.data[:, i : i + n_times],
                    event.stamps_s[i : i + n_times],
                    event.t_received,
                )
                for i in range(0, len(event.stamps_s), n_times)
            ]
        else:
            cut.append(event)
    return cut


def main() -> None:
    """Time everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--bundle", default=LIVE_BUNDLE, help="name or folder")
    args = parser.parse_args()
    one_core()
    bundle = open_bundle(args.bundle)
    manifest = bundle.manifest
    rng = np.random.default_rng(0)
    rows: list[tuple[object, ...]] = []

    def row(name: str, work: Callable[[], object]) -> float:
        took = timed_ms(work, args.runs)
        rows.append((name, p50_p99(took, 3)))
        return float(np.median(took))

    head = GraphRunner(bundle.read_graph(manifest.graphs.head), name="head", provider="cpu")
    for n_slices in range(manifest.slices.t_min, manifest.slices.t_max + 1):
        slices = rng.standard_normal((1, n_slices, *manifest.slices.shape)).astype(np.float32)
        given = {"slices": slices}
        row(f"head, T = {n_slices}", partial(head.run, given, tuple(manifest.targets)))

    encoder = GraphRunner(
        bundle.read_graph(manifest.graphs.encoder), name="encoder", provider="cpu"
    )
    inputs = {
        name: rng.standard_normal([n or 1 for n in tensor.shape]).astype(np.float32)
        for name, tensor in manifest.graphs.encoder.inputs.items()
    }
    ours = row("encoder", lambda: encoder.run(inputs, ("slice",)))
    sfreq = manifest.windows.modalities["eeg"].sfreq
    theirs = row("scipy.signal.welch + numpy.corrcoef", lambda: reference(inputs["eeg"][0], sfreq))

    source = SimulatedSource(Participant(7), CHAIN_S, chunk_s=1 / 16)
    events = list(source.events())
    windows: list[Window] = []
    for n_times in (1, 8, 32):
        cut = recut(events, n_times)

        def chain(cut: list[Event] = cut) -> None:
            windows.clear()
            made = open_chain(manifest.windows, source.infos)
            for event in cut:
                windows.extend(made.push(event))

        took = timed_ms(chain, 3).min() / CHAIN_S
        rows.append((f"window chain, a second of EEG in chunks of {n_times}", f"{took:.3f}"))

    decoder = Decoder(bundle, name="bench", infos=source.infos, provider="cpu")
    estimate = [decoder.decode(window).estimate for window in windows][-1]
    message = wire.EstimateMessage(
        schema=wire.SCHEMA,
        topic=wire.topic_of("estimate", "bench"),
        seq=0,
        session_id="bench",
        t_published=0.0,
        t_closed=0.0,
        t_decoded=0.0,
        age_s=0.0,
        compute_s=0.0,
        estimate=estimate_body(estimate),
    )
    frames = wire.encode(message)
    row("estimate to message", lambda: (estimate_body(estimate), wire.encode(message)))
    row("message to estimate, checked", lambda: wire.decode(frames))
    print(
        f"### Stages, one core, hot\n\n{machine()}\n\n{table(('stage', 'ms, p50 / p99'), rows)}\n"
    )
    print(f"The encoder is {theirs / ours:.1f} times as fast as scipy and numpy.\n")


if __name__ == "__main__":
    main()
