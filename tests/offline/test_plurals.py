import pytest

from offline.plurals import counted, ranged, some


@pytest.mark.parametrize(("n", "said"), [(0, "0 trials"), (1, "1 trial"), (2, "2 trials")])
def test_one_alone_is_singular(n: int, said: str) -> None:
    assert counted(n, "trial") == said


def test_a_noun_may_have_a_plural_of_its_own() -> None:
    assert counted(1, "person", "people") == "1 person"
    assert counted(2, "person", "people") == "2 people"


def test_a_range_of_one_number_is_that_number() -> None:
    assert ranged(1, 4, "window") == "1 to 4 windows"
    assert ranged(1, 1, "window") == "1 window"


def test_some_say_how_many_more_there_are() -> None:
    assert some(["a", "b"]) == "a; b"
    assert some(["a", "b", "c", "d", "e"], most=2) == "a; b; and 3 more"
