"""The XDF writer against pyxdf, which nobody here wrote."""

import io

import numpy as np
import pytest
import pyxdf
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.publish.xdf_writer import XdfWriter, channel_format

NUMERIC = ("float32", "float64", "int8", "int16", "int32", "int64")
ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)


def load(file: io.BytesIO) -> list[dict]:
    file.seek(0)
    streams, _ = pyxdf.load_xdf(
        file, synchronize_clocks=False, dejitter_timestamps=False, handle_clock_resets=False
    )
    return streams


@pytest.mark.parametrize("dtype", NUMERIC)
def test_samples_of_every_type_come_back_bit_for_bit(dtype):
    rng = np.random.default_rng(1)
    data = rng.integers(-100, 100, (3, 300)).astype(dtype)
    if data.dtype.kind == "f":
        data /= 3
        data[1, 5] = np.nan
        data[2, 6] = -np.inf
    stamps = np.cumsum(rng.random(300)) - 7.0
    file = io.BytesIO()
    writer = XdfWriter(file)
    writer.add_stream(5, name="n", stype="EEG", dtype=dtype, ch_names=("a", "b", "c"), sfreq=100.0)
    for cut in (slice(0, 1), slice(1, 260), slice(260, 300)):
        writer.samples(5, stamps[cut], data[:, cut])
    writer.footers()
    (stream,) = load(file)
    assert stream["time_series"].dtype == data.dtype
    assert stream["time_series"].T.tobytes() == np.ascontiguousarray(data).tobytes()
    assert stream["time_stamps"].tobytes() == stamps.tobytes()


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), min_size=1, max_size=5))
def test_text_comes_back(samples):
    data = np.array(samples, dtype=object).T
    stamps = np.arange(len(samples)) / 7
    file = io.BytesIO()
    writer = XdfWriter(file)
    writer.add_stream(1, name="m", stype="Markers", dtype=object, ch_names=("x", "y"))
    writer.samples(1, stamps, data)
    (stream,) = load(file)
    assert stream["time_series"] == [list(sample) for sample in samples]


@given(ANY_TEXT.filter(bool), ANY_TEXT)
def test_any_name_makes_a_readable_header(name, label):
    file = io.BytesIO()
    writer = XdfWriter(file)
    writer.add_stream(1, name=name, stype="EEG", dtype="f4", ch_names=(label,), units=("uV",))
    (stream,) = load(file)
    if (name + label).isprintable():
        assert (stream["info"]["name"][0] or "") == name
        channel = stream["info"]["desc"][0]["channels"][0]["channel"][0]
        assert (channel["label"][0] or "") == label
        assert channel["unit"] == ["uV"]


def test_header_and_footer_say_what_the_stream_is():
    file = io.BytesIO()
    writer = XdfWriter(file)
    writer.add_stream(
        9, name="Amp", stype="EEG", dtype="f8", ch_names=("Cz",), sfreq=250.0, source_id="s1"
    )
    writer.clock_offset(9, t_collected=10.5, offset_s=-3.25)
    writer.samples(9, np.array([10.0, 10.004]), np.ones((1, 2)))
    writer.boundary()
    writer.footers()
    (stream,) = load(file)
    info, footer = stream["info"], stream["footer"]["info"]
    assert info["stream_id"] == 9
    assert (info["name"], info["type"], info["source_id"]) == (["Amp"], ["EEG"], ["s1"])
    assert float(info["nominal_srate"][0]) == 250.0
    assert (stream["clock_times"], stream["clock_values"]) == ([10.5], [-3.25])
    assert footer["sample_count"] == ["2"]
    assert (footer["first_timestamp"], footer["last_timestamp"]) == (["10.0"], ["10.004"])
    assert footer["clock_offsets"][0]["offset"][0]["value"] == ["-3.25"]


def test_clock_offsets_are_added_to_stamps_by_other_readers():
    file = io.BytesIO()
    writer = XdfWriter(file)
    writer.add_stream(1, name="Amp", stype="EEG", dtype="f4", ch_names=("Cz",))
    for t in (0.0, 5.0, 10.0):
        writer.clock_offset(1, t_collected=t, offset_s=100.0)
    writer.samples(1, np.array([1.0, 2.0]), np.zeros((1, 2), dtype="f4"))
    file.seek(0)
    (stream,), _ = pyxdf.load_xdf(file, dejitter_timestamps=False)
    np.testing.assert_allclose(stream["time_stamps"], [101.0, 102.0], atol=1e-6)


def test_a_file_without_footers_reads():
    file = io.BytesIO()
    writer = XdfWriter(file)
    writer.add_stream(1, name="Amp", stype="EEG", dtype="i2", ch_names=("Cz",))
    writer.samples(1, np.array([1.0]), np.array([[7]], dtype="i2"))
    (stream,) = load(file)
    assert stream["time_series"].tolist() == [[7]]


def test_what_does_not_fit_the_description_is_refused():
    writer = XdfWriter(io.BytesIO())
    writer.add_stream(1, name="Amp", stype="EEG", dtype="f4", ch_names=("Cz", "Pz"))
    with pytest.raises(ValueError, match="float32, got float64"):
        writer.samples(1, np.zeros(3), np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"must be \(2, 3\), got \(1, 3\)"):
        writer.samples(1, np.zeros(3), np.zeros((1, 3), dtype="f4"))
    with pytest.raises(ValueError, match="already"):
        writer.add_stream(1, name="Amp", stype="EEG", dtype="f4", ch_names=("Cz",))
    with pytest.raises(ValueError, match="not uint8"):
        channel_format("u1")
