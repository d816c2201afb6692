"""Another tool's stream of regions, sent by pylsl itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import numpy as np
import pylsl
import pytest
from collecting import collect

from rtaffect.config.scanner_inputs import LslRoiSettings
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import Refused, RoiMeans, RunEnd, ScannerInput
from rtaffect.scanner.inputs import open_input
from rtaffect.scanner.lsl_input import LslInput
from rtaffect.sources.lsl_inlet import local_clock

pytestmark = pytest.mark.integration
NAMES = ("A8m_L", "A8m_R", "mAmyg_L")


def outlet(
    source_id: str,
    *,
    names: tuple[str, ...] = NAMES,
    acquisition: dict[str, str] | None = None,
    dtype: str = "float32",
) -> pylsl.StreamOutlet:
    info = pylsl.StreamInfo("other-tool", "fMRI", len(NAMES), 0.0, dtype, source_id)
    channels = info.desc().append_child("channels")
    for name in names:
        channels.append_child("channel").append_child_value("label", name)
    node = info.desc().append_child("acquisition")
    for key, value in (acquisition or {}).items():
        node.append_child_value(key, value)
    return pylsl.StreamOutlet(info)


@contextmanager
def listening(source_id: str, **settings: Any) -> Iterator[ScannerInput]:
    keys = LslRoiSettings(kind="lsl", source_id=source_id, wait_s=10.0, **settings)
    with open_input(keys, local_clock) as source:
        yield source


def frames(source: ScannerInput, n_frames: int) -> list[RoiMeans]:
    return [item for item in collect(source, n_frames) if isinstance(item, RoiMeans)]


def test_a_stream_that_follows_the_convention_is_understood() -> None:
    source_id = uuid4().hex
    sender = outlet(source_id, acquisition={"tr_s": "2.0", "time_reference": "start"})
    with listening(source_id) as source:
        assert isinstance(source, LslInput)
        assert source.ch_names == NAMES
        assert source.notes == ()
        stamps = [local_clock() - 5.0, local_clock() - 3.0]
        for i, stamp in enumerate(stamps):
            sender.push_sample([i, float("nan"), 7.5], stamp)
        first, second = frames(source, 2)
    np.testing.assert_array_equal(second.values, [1.0, np.nan, 7.5])
    assert (first.index, second.index, first.run, first.tr_s) == (0, 1, "1", 2.0)
    assert first.motion is None
    # half a TR after the start; the clock is the same one
    np.testing.assert_allclose([first.t_acq, second.t_acq], np.add(stamps, 1.0), atol=0.01)
    assert first.t_arrival > stamps[1]


def test_what_the_sender_did_not_say_the_settings_say() -> None:
    source_id = uuid4().hex
    sender = outlet(source_id, names=())
    with listening(source_id, ch_names=("a", "b", "c"), tr_s=1.5, stamps="mid") as source:
        assert isinstance(source, LslInput)
        assert source.ch_names == ("a", "b", "c")
        stamp = local_clock() - 2.0
        sender.push_sample([1, 2, 3], stamp)
        (frame,) = frames(source, 1)
    assert frame.tr_s == 1.5
    assert frame.t_acq == pytest.approx(stamp, abs=0.01)


def test_stamps_that_nobody_explains_are_not_used_and_that_is_said() -> None:
    source_id = uuid4().hex
    sender = outlet(source_id)
    with listening(source_id) as source:
        sender.push_sample([1, 2, 3])
        (frame,) = frames(source, 1)
        assert any("what its stamps mean" in note for note in source.notes)
        assert any("set tr_s" in note for note in source.notes)
    assert np.isnan([frame.t_acq, frame.tr_s]).all()


def test_a_sender_that_comes_back_begins_a_new_run() -> None:
    source_id = uuid4().hex
    sender = outlet(source_id)
    with listening(source_id) as source:
        sender.push_sample([1, 2, 3])
        frames(source, 1)
        del sender
        (lost,) = collect(source, 1)
        assert isinstance(lost, Refused)
        sender = outlet(source_id)
        (end,) = collect(source, 1)
        assert isinstance(end, RunEnd)
        assert sender.wait_for_consumers(5)
        sender.push_sample([4, 5, 6])
        (frame,) = frames(source, 1)
    assert (frame.run, frame.index) == ("2", 0)


def test_a_stream_without_names_text_and_no_stream_at_all_are_refused() -> None:
    unnamed, text = uuid4().hex, uuid4().hex
    senders = [outlet(unnamed, names=()), outlet(text, dtype="string")]
    for source_id, reason in (
        (unnamed, "by ch_names.*under scanner: input"),
        (text, "sends text"),
        (uuid4().hex, "No"),
    ):
        settings = LslRoiSettings(kind="lsl", source_id=source_id, wait_s=1.0)
        with pytest.raises(ScannerError, match=reason):
            open_input(settings, local_clock)
    del senders
