"""What is kept of a stream's description."""

from rtaffect.sources.offered import MAX_ABOUT, MAX_ABOUT_TEXT, kept_about


def test_how_it_was_acquired_is_kept_and_who_it_was_is_not():
    leaves = [
        (("acquisition", "tr_s"), "2.0"),
        (("subject", "name"), "somebody"),
        (("acquisition",), "no group"),
        (("atlas", "licence", "of", "names"), "CC0"),
        (("acquisition", "tr_s"), "a second one"),
        (("processing", "detrend"), ""),
    ]
    assert kept_about(leaves) == {"acquisition.tr_s": "2.0", "atlas.licence.of.names": "CC0"}


def test_a_description_is_kept_within_bounds():
    leaves = [(("atlas", f"key{i}"), "x") for i in range(10_000)]
    assert len(kept_about(leaves)) == MAX_ABOUT
    assert kept_about([(("atlas", "name"), "x" * (MAX_ABOUT_TEXT + 1))]) == {}
