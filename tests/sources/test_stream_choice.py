from dataclasses import replace

import pytest

from rtaffect.core.errors import StreamError, UnitError
from rtaffect.core.streams import StreamChoice, StreamInfo
from rtaffect.sources.lsl_inlet import FoundStream
from rtaffect.sources.stream_choice import describe, differences, not_found, select

CAP = FoundStream(
    name="Cap",
    stype="EEG",
    source_id="cap-1",
    hostname="lab",
    uid="run-1",
    n_channels=3,
    sfreq=500.0,
    dtype="float32",
    ch_names=("Fz", "Cz", "Pz"),
    units=("uV", "uV", "uV"),
)
MARKERS = replace(
    CAP,
    name="Keys",
    stype="Markers",
    source_id="keys",
    uid="run-2",
    n_channels=1,
    sfreq=0.0,
    dtype="text",
    ch_names=(),
    units=(),
)
EEG = StreamChoice(modality="eeg", stype="EEG")


def test_every_key_that_is_given_must_fit() -> None:
    there = [CAP, MARKERS]
    assert select(EEG, there) is CAP
    assert select(replace(EEG, name="Cap", source_id="cap-1"), there) is CAP
    assert select(replace(EEG, name="Keys"), there) is None
    assert select(replace(EEG, stype=None, source_id="keys"), there) is MARKERS
    assert select(replace(EEG, stype="eeg"), there) is None


def test_streams_of_our_own_never_fit() -> None:
    truth = replace(CAP, stype="rtaffect-truth")
    assert select(StreamChoice(modality="eeg", name="Cap"), [truth]) is None
    assert "No stream at all" in str(not_found(EEG, [truth], waited_s=1.0))


def test_an_ambiguous_choice_names_the_keys_that_tell_apart() -> None:
    other = replace(CAP, name="Other", uid="run-3")
    with pytest.raises(StreamError, match="Say which by name, under streams: eeg:") as caught:
        select(EEG, [CAP, other])
    assert "2 of them have the identical source_id 'cap-1'" in str(caught.value)
    with pytest.raises(StreamError, match="Nothing but the machine or the run"):
        select(EEG, [CAP, replace(CAP, hostname="hall", uid="run-4")])


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ({"stype": "eeg"}, "Was type 'EEG' meant instead of 'eeg'?"),
        ({"name": "cap"}, "Was name 'Cap' meant instead of 'cap'?"),
        ({"source_id": "cap1"}, "Was source_id 'cap-1' meant instead of 'cap1'?"),
    ],
)
def test_a_misspelt_key_is_met_with_the_nearest_one(asked: dict[str, str], hint: str) -> None:
    assert hint in str(not_found(replace(EEG, **asked), [CAP, MARKERS], waited_s=5.0))


def test_the_description_is_taken_over() -> None:
    assert describe(CAP, EEG) == StreamInfo(
        modality="eeg",
        name="Cap",
        stype="EEG",
        source_id="cap-1",
        ch_names=("Fz", "Cz", "Pz"),
        sfreq=500.0,
        units=("uV", "uV", "uV"),
    )


def test_the_session_corrects_the_description() -> None:
    choice = replace(EEG, unit="mV", rename={"Fz": "Fpz"}, sfreq=512.0)
    info = describe(replace(CAP, units=("", "mV", "counts")), choice)
    assert (info.ch_names, info.units, info.sfreq) == (("Fpz", "Cz", "Pz"), ("mV",) * 3, 512.0)
    named = describe(replace(CAP, ch_names=(), units=()), replace(EEG, ch_names=("A", "B", "C")))
    assert (named.ch_names, named.units) == (("A", "B", "C"), ("", "", ""))


def test_markers_need_no_labels() -> None:
    info = describe(MARKERS, StreamChoice(modality="markers", stype="Markers"))
    assert (info.ch_names, info.units, info.is_text) == (("Keys-0",), ("",), True)


@pytest.mark.parametrize(
    ("found", "choice", "words"),
    [
        (replace(CAP, ch_names=("Fz", "Cz")), EEG, "has 3 channels, but its sender describes 2"),
        (replace(CAP, ch_names=()), EEG, r"has no channel labels.*ch_names: \[...\]"),
        (replace(CAP, ch_names=("", "", "")), EEG, "has no channel labels"),
        (replace(CAP, ch_names=("Fz", "", "Pz")), EEG, "none for channel 2"),
        (replace(CAP, ch_names=("Fz", "Cz", "Cz")), EEG, "Cz more than once"),
        (CAP, replace(EEG, ch_names=("A", "B")), "3 channels, but ch_names, .* has 2"),
        (CAP, replace(EEG, rename={"fz": "Fpz"}), r"it has no 'fz' \('Fz'\?\)"),
        (CAP, replace(EEG, rename={"Fz": "Cz"}), "Cz more than once"),
        (replace(CAP, n_channels=0, ch_names=()), EEG, "no samples that could be received"),
        (replace(CAP, dtype="undefined"), EEG, "no samples that could be received"),
    ],
)
def test_a_contradiction_is_an_error(found: FoundStream, choice: StreamChoice, words: str) -> None:
    with pytest.raises(StreamError, match=words):
        describe(found, choice)


def test_a_unit_that_the_sender_contradicts_is_an_error() -> None:
    with pytest.raises(UnitError, match="'mV' must not contradict stream 'Cap', which says 'uV'"):
        describe(CAP, replace(EEG, unit="mV"))
    with pytest.raises(UnitError, match="got 'uA'"):
        describe(CAP, replace(EEG, unit="uA"))
    same = describe(CAP, replace(EEG, unit="microvolts"))
    assert same.units == CAP.units


def test_differences_name_what_changed() -> None:
    info = describe(CAP, EEG)
    assert differences(info, info) == []
    assert differences(info, replace(info, name="renamed")) == []
    changed = replace(info, sfreq=250.0, units=("uV", "", "uV"), simulated=True)
    assert differences(info, changed) == [
        "rate in Hz: 500.0 -> 250.0",
        "units: uV -> uV undeclared uV",
        "simulated: False -> True",
    ]
