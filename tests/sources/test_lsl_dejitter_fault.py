"""Why `LslSource` asks for raw stamps: what LSL's dejitter makes of half a second of dropout."""

import uuid

import numpy as np
import pylsl
import pytest

from rtaffect.sources.lsl_inlet import BUFFER_S, Inlet, resolve

SFREQ = 256.0
BEFORE_S, DROPPED_S, AFTER_S = 60.0, 0.5, 45.0


def drain(pull, n_times: int) -> np.ndarray:
    """Pull until so many stamps are there."""
    stamps: list[np.ndarray] = []
    while sum(map(len, stamps)) < n_times:
        stamps.append(np.array(pull()))
        assert len(stamps[-1]), "the samples stopped coming"
    return np.concatenate(stamps)


@pytest.mark.integration
def test_dejitter_bends_stamps_long_after_a_dropout_and_raw_stamps_do_not() -> None:
    assert BUFFER_S > BEFORE_S + DROPPED_S + AFTER_S
    source_id = f"dejitter-{uuid.uuid4()}"
    info = pylsl.StreamInfo("dropout", source_id, 1, SFREQ, "float32", source_id)
    outlet = pylsl.StreamOutlet(info)
    (found,) = [stream for stream in resolve(1.0) if stream.source_id == source_id]
    ours = Inlet(found)
    theirs = pylsl.StreamInlet(
        found.handle, max_buflen=BUFFER_S, recover=False, processing_flags=pylsl.proc_dejitter
    )
    ours.open(5.0)
    theirs.open_stream(5.0)

    n_before = int(BEFORE_S * SFREQ)
    index = np.arange(int((BEFORE_S + DROPPED_S + AFTER_S) * SFREQ))
    index = index[(index < n_before) | (index >= n_before + int(DROPPED_S * SFREQ))]
    jitter_s = np.random.default_rng(0).uniform(0.0, 0.002, len(index))
    taken_s = pylsl.local_clock() + index / SFREQ  # when samples were truly taken
    for sent_s in taken_s + jitter_s:
        outlet.push_sample([0.0], sent_s)

    raw_s = drain(lambda: ours.pull(2.0)[1], len(index))
    bent_s = drain(lambda: theirs.pull_chunk(timeout=2.0, min_samples=1)[1], len(index))
    ours.close()

    np.testing.assert_array_equal(raw_s, taken_s + jitter_s)
    error_s = bent_s - taken_s
    settled = slice(n_before - int(10 * SFREQ), n_before)
    assert np.abs(error_s[settled]).max() < 0.003  # until the dropout it serves well
    first_second = slice(n_before, n_before + int(SFREQ))
    assert error_s[first_second].mean() < -0.3  # then half a second is missing ...
    assert np.diff(bent_s)[n_before - 1] < 0.1  # ... which its stamps do not show
    assert np.diff(raw_s)[n_before - 1] > DROPPED_S  # as ours do
    last_seconds = slice(-int(5 * SFREQ), None)
    assert np.abs(error_s[last_seconds]).min() > 0.05  # and 40 s later it is wrong still
