"""Volumes in a session: live, kept, replayed and read offline, always the same estimates."""

import threading
from pathlib import Path

import numpy as np
import pytest
from kept import Kept
from volume_bundle import N_TIMES, SHAPE, TR_S, WINDOWS, write_volume_bundle

from rtaffect.core.errors import RecordingError
from rtaffect.core.spec import VolumeSpec
from rtaffect.core.streams import Source, VolumeChunk
from rtaffect.core.volume_message import VolumeMessage
from rtaffect.core.window import Window
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.publish.recorder import Recorder
from rtaffect.publish.volumes import VolumePublisher
from rtaffect.simulate.bold import BoldSettings
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource
from rtaffect.simulate.volumes import Parcellation
from rtaffect.sources.lsl_inlet import local_clock
from rtaffect.sources.recording import open_recording
from rtaffect.sources.volumes import VolumeSource
from rtaffect.windows import open_windows

pytestmark = pytest.mark.integration
N_VOLUMES = 12


def scan() -> SimulatedSource:
    return SimulatedSource(
        Participant(7),
        2 * N_VOLUMES + 1.0,
        sfreq=128,
        bold=BoldSettings(n_regions=20, tr_s=TR_S),
        parcellation=Parcellation(n_regions=20, shape=(12, 12, 9)),
    )


def run(source: Source, folder: Path, *, record: Path | None = None) -> list[bytes]:
    """Decode a source; return the estimates' canonical bytes."""
    folder.mkdir(exist_ok=True)
    kept = Kept()
    decoder = Decoder(write_volume_bundle(folder), infos=source.infos)
    sinks = [kept]
    if record is not None:
        sinks.append(Recorder(record, source.infos, session={}))  # type: ignore[arg-type]
    summary = Engine(source, [decoder], sinks).run()
    assert not summary.failures
    return [estimate.canonical() for estimate in kept.estimates]


def test_a_recorded_scan_gives_the_estimates_that_it_gave_live(tmp_path: Path) -> None:
    live = run(scan(), tmp_path / "a", record=tmp_path / "s.xdf")
    assert len(live) >= N_VOLUMES
    assert len(set(live)) == len(live)
    assert len(list((tmp_path / "s_volumes").glob("*.nii"))) == N_VOLUMES
    with open_recording([tmp_path / "s.xdf"]) as recording:
        assert run(recording, tmp_path / "b") == live


def test_a_scan_whose_files_were_touched_is_not_replayed(tmp_path: Path) -> None:
    run(scan(), tmp_path / "a", record=tmp_path / "s.xdf")
    file = tmp_path / "s_volumes" / "000005.nii"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with (
        open_recording([tmp_path / "s.xdf"]) as recording,
        pytest.raises(RecordingError, match=r"000005\.nii"),
    ):
        run(recording, tmp_path / "b")


def test_volumes_over_a_socket_are_decoded_and_replayed_alike(tmp_path: Path) -> None:
    volumes = [event for event in scan().events() if isinstance(event, VolumeChunk)][:8]
    info = scan().infos["volume"]
    publisher = VolumePublisher("tcp://127.0.0.1:*", info=info, clock=local_clock)
    opened, pause = threading.Event(), threading.Event()

    def publish() -> None:
        while not opened.wait(0.02):
            publisher.serve()
        began = local_clock() - TR_S * len(volumes)
        for volume in volumes:
            pause.wait(0.05)
            publisher.publish(
                VolumeMessage(
                    data=volume.data.reshape(volume.shape),
                    affine=volume.affine,
                    index=volume.index,
                    run="1",
                    stamp_s=began + TR_S * volume.index,
                )
            )
        pause.wait(0.5)
        source.close()
        publisher.close()

    thread = threading.Thread(target=publish)
    source = VolumeSource(publisher.address, clock=local_clock)
    thread.start()
    with source:
        opened.set()
        live = run(source, tmp_path / "a", record=tmp_path / "s.xdf")
    thread.join()
    assert len(live) >= len(volumes)
    with open_recording([tmp_path / "s.xdf"]) as recording:
        assert run(recording, tmp_path / "b") == live


def windows(source: Source) -> list[Window]:
    return [window for window in open_windows(source, WINDOWS) if window.modalities["volume"]]


def test_a_model_is_trained_on_the_windows_that_it_meets(tmp_path: Path) -> None:
    run(scan(), tmp_path / "a", record=tmp_path / "s.xdf")
    with open_recording([tmp_path / "s.xdf"]) as recording:
        replayed = windows(recording)
    offline = windows(scan())
    assert len(offline) == len(replayed) >= N_VOLUMES
    for one, other in zip(offline, replayed, strict=True):
        assert (one.t_start, one.t_end) == (other.t_start, other.t_end)
        assert one.modalities["volume"].data.shape == (np.prod(SHAPE), N_TIMES)
        np.testing.assert_array_equal(
            one.modalities["volume"].data, other.modalities["volume"].data
        )


def test_the_grid_sees_the_head() -> None:
    spec = WINDOWS.modalities["volume"]
    assert isinstance(spec, VolumeSpec)
    last = windows(scan())[-1].modalities["volume"]
    assert np.isfinite(last.data).all()
    assert last.data.std() > 0.1
