"""Spellings of units, and what to do about undeclared ones."""

import numpy as np
import pytest

from rtaffect.core.errors import UnitError
from rtaffect.core.streams import StreamInfo
from rtaffect.signal.units import declare_unit, factors_to_microvolts, microvolts_per


def stream(*units: str) -> StreamInfo:
    names = ("F3", "Fz", "STI")
    return StreamInfo(
        modality="eeg", name="Amp", stype="EEG", ch_names=names, sfreq=512.0, units=units
    )


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        *[(spelling, 1e6) for spelling in ("V", "v", " V ", "volt", "Volts", "VOLTS")],
        *[(spelling, 1e3) for spelling in ("mV", "mv", "millivolt", "MilliVolts", "milli-volts")],
        *[
            (spelling, 1.0)
            for spelling in (
                "uV",
                "UV",
                "uv",
                "\N{MICRO SIGN}V",
                "\N{GREEK SMALL LETTER MU}V",
                "\N{GREEK CAPITAL LETTER MU}V",
                "microvolts",
                "Microvolt",
                "MICROVOLTS",
                "micro volts",
            )
        ],
        *[(spelling, 1e-3) for spelling in ("nV", "NV", "nanovolts")],
    ],
)
def test_every_spelling_of_a_unit_is_understood(unit: str, expected: float) -> None:
    assert microvolts_per(unit) == expected


@pytest.mark.parametrize(
    "unit", ["", " ", "counts", "n/a", "pV", "Vm", "uV/Hz", "uVuV", "fT", "kV"]
)
def test_what_is_no_unit_of_eeg_is_refused(unit: str) -> None:
    with pytest.raises(UnitError, match="must be V, mV, uV or nV"):
        microvolts_per(unit)


@pytest.mark.parametrize("unit", ["MV", "MV ", "MVolts"])
def test_a_capital_m_is_refused_as_ambiguous(unit: str) -> None:
    with pytest.raises(UnitError, match=r"millivolts or megavolts"):
        microvolts_per(unit)


def test_factors_are_per_channel_and_in_the_order_asked_for() -> None:
    info = stream("uV", "mV", "V")
    np.testing.assert_array_equal(factors_to_microvolts(info), [1.0, 1e3, 1e6])
    np.testing.assert_array_equal(factors_to_microvolts(info, used=(2, 0)), [1e6, 1.0])


def test_a_channel_that_nobody_looks_at_may_have_any_unit() -> None:
    np.testing.assert_array_equal(
        factors_to_microvolts(stream("uV", "uV", "n/a"), used=(1, 0)), [1.0, 1.0]
    )


@pytest.mark.parametrize("units", [(), ("", "", "")])
def test_an_undeclared_unit_is_an_error_that_says_how_to_declare_it(units: tuple[str, ...]) -> None:
    with pytest.raises(UnitError, match=r"no unit for F3, Fz.*`streams: eeg: unit: uV`"):
        factors_to_microvolts(stream(*units), used=(0, 1))


def test_an_unknown_unit_is_named_with_its_channel() -> None:
    with pytest.raises(UnitError, match="unit 'counts' for Fz"):
        factors_to_microvolts(stream("uV", "counts", "uV"))


def test_one_unit_too_few_is_an_error() -> None:
    with pytest.raises(UnitError, match="2 units for 3 channels"):
        factors_to_microvolts(stream("uV", "uV"))


def test_a_declared_unit_fills_in_where_there_is_none() -> None:
    info = declare_unit(stream("", "counts", "uV"), "\N{MICRO SIGN}V")
    np.testing.assert_array_equal(factors_to_microvolts(info), [1.0, 1.0, 1.0])
    assert declare_unit(stream(), "mV").units == ("mV", "mV", "mV")


def test_a_declared_unit_that_contradicts_the_stream_is_an_error() -> None:
    with pytest.raises(UnitError, match=r"'uV' must not contradict stream 'Amp'.*'V' for F3, Fz"):
        declare_unit(stream("V", "V", ""), "uV")


def test_the_same_unit_in_another_spelling_is_no_contradiction() -> None:
    info = stream("microvolts", "uV", "uV")
    assert declare_unit(info, "\N{GREEK SMALL LETTER MU}V") == info


def test_a_declared_unit_must_itself_be_one() -> None:
    with pytest.raises(UnitError, match="got 'bananas'"):
        declare_unit(stream(), "bananas")
