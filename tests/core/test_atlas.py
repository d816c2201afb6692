"""Tables of regions: the shipped one, and a lab's own in the forms that there are."""

import re
from collections import Counter
from pathlib import Path

import pytest

from rtaffect.core.atlas import RegionTable, brainnetome, read_regions
from rtaffect.core.errors import ConfigError

GYRI = {
    "SFG": 14, "MFG": 14, "IFG": 12, "OrG": 12, "PrG": 12, "PCL": 4, "STG": 12, "MTG": 8,
    "ITG": 14, "FuG": 6, "PhG": 12, "pSTS": 4, "SPL": 10, "IPL": 12, "Pcun": 8, "PoG": 8,
    "INS": 12, "CG": 14, "MVOcC": 10, "LOcC": 8, "sOcG": 4, "Amyg": 4, "Hipp": 4, "BG": 12,
    "Tha": 16,
}  # fmt: skip
"""Regions of each gyrus in the order of labels, after Fan et al. 2016."""

SEED_LIST = {
    1: "A8m_R", 10: "A9m_L", 14: "A9/46d_L", 17: "IFJ_R", 42: "A12/47o_L", 55: "A6cdl_R",
    86: "aSTS_L", 104: "A37mv_L", 107: "A37lv_R", 134: "A39c_L", 140: "A40c_L", 143: "A39rv_R",
    150: "dmPOS_L", 158: "A2_L", 183: "A24cd_R", 190: "rCunG_L", 195: "rLinG_R", 202: "OPC_L",
    210: "mAmyg_L", 213: "lAmyg_R",
}  # fmt: skip
"""Names that others give to indices from 0."""


def test_brainnetome_has_its_regions_in_order() -> None:
    table = brainnetome()
    assert table.values == tuple(range(1, 247))
    assert (table.names[0], table.names[-1]) == ("A8m_L", "lPFtha_R")
    assert {index: table.names[index] for index in SEED_LIST} == SEED_LIST
    for left, right in zip(table.names[::2], table.names[1::2], strict=True):
        assert (left[-2:], right) == ("_L", left[:-1] + "R")


def test_brainnetome_has_the_gyri_of_the_paper() -> None:
    path = Path(read_regions.__code__.co_filename).with_name("brainnetome.tsv")
    gyri = [line.split("\t")[2] for line in path.read_text().splitlines()[1:]]
    assert dict(Counter(gyri)) == GYRI
    assert list(dict.fromkeys(gyri)) == list(GYRI)


def test_the_shipped_table_is_asked_for_by_name() -> None:
    assert read_regions("brainnetome") == brainnetome()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "index\tname\tcolor\n0\tBackground\t-\n2\tV1\tred\n5\tV2\tblue\n"),
        ("a.csv", '"label","value"\n"V1",2\n"V2",5\n\n'),
        ("a.txt", "\ufeffregion;number\nV1;2\nV2;5\n"),
        ("a.json", '{"2": "V1", "5": " V2 "}'),
    ],
)
def test_a_table_of_ones_own_may_have_any_of_these_forms(
    name: str, text: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_regions(str(path)) == RegionTable(name="a", values=(2, 5), names=("V1", "V2"))


def test_a_list_of_names_counts_from_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('["V1", "V2"]')
    assert read_regions(str(path)).values == (1, 2)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.tsv", "V1\tV2\n1\t2\n", "columns index and name"),
        ("a.tsv", "index\tname\nx\tV1\n", "row 2 must have a whole number"),
        ("a.tsv", "index\tname\n1\n", "row 2 must have"),
        ("a.tsv", "index\tname\n0\tV1\n1\tV2\n", "values from 1 on"),
        ("a.tsv", "index\tname\n1\tV1\n1\tV2\n", "all different, got 1 twice"),
        ("a.tsv", "index\tname\n1\tV1\n2\tV1\n", "all different, got 'V1' twice"),
        ("a.tsv", "index\tname\n1\t\n", "a name each"),
        ("a.tsv", "index\tname\n", "from 1 to 10000 rows"),
        ("a.tsv", "index\tname\n99999999999\tV1\n", "values from 1 on"),
        ("a.json", '{"one": "V1"}', "names by index"),
        ("a.json", "{", "must be text"),
        ("a.tsv", "index\tname\n1\tV\udcff\n", "must be text in UTF-8"),
    ],
)
def test_what_is_no_such_table_is_refused(name: str, text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", errors="surrogateescape"))
    with pytest.raises(ConfigError, match=re.escape(words)):
        read_regions(str(path))


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_regions("nowhere.tsv")
