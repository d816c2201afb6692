"""`mne_realtime.MockLSLStream`: a sender that nobody here wrote, and a clumsy one."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator

import numpy as np
import pytest

from rtaffect.core.streams import Chunk, StreamChoice
from rtaffect.sources.lsl import LslSource

N_TIMES = 2000
SENDER = f"""
import signal, sys, warnings
warnings.simplefilter("ignore")
import mne, numpy as np
from mne_realtime import MockLSLStream
data = np.zeros((3, {N_TIMES}))
data[0] = np.arange({N_TIMES})
info = mne.create_info(["Fz", "Cz", "Pz"], 200.0, "eeg")
raw = mne.io.RawArray(data, info, verbose="error")
with MockLSLStream(sys.argv[1], raw, "eeg"):
    signal.pause()
"""


@pytest.fixture
def sender_id() -> Iterator[str]:
    source_id = f"mock-{uuid.uuid4()}"
    process = subprocess.Popen(
        [sys.executable, "-c", SENDER, source_id],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # it forks; both are to end with the test
    )
    yield source_id
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.integration
def test_a_mock_stream_is_received_sample_by_sample(sender_id: str) -> None:
    choice = StreamChoice(modality="eeg", stype="EEG", source_id=sender_id)
    with LslSource([choice], resolve_timeout_s=30.0) as source:
        info = source.infos["eeg"]
        assert (info.name, info.sfreq) == ("MNE", 200.0)
        assert info.ch_names == ("Fz", "Cz", "Pz")
        assert len(set(info.units)) == 1
        assert info.units[0].startswith("FIFF")  # it sends MNE's word, which a session corrects
        chunks = []
        for event in source.events():
            if isinstance(event, Chunk):
                chunks.append(event)
                if sum(chunk.data.shape[1] for chunk in chunks) > 300:
                    break
    index = np.concatenate([chunk.data[0] for chunk in chunks])
    steps = np.diff(index)
    assert ((steps == 1) | (steps == 1 - N_TIMES)).all()  # it starts anew at its end
    stamps_s = np.concatenate([chunk.stamps_s for chunk in chunks])
    assert (np.diff(stamps_s) > 0).all()
