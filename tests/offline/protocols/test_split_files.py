"""A split survives the disk, and a table of somebody else's is read to the letter."""

import json
from pathlib import Path

import numpy as np
import pytest

from offline.errors import DataError, LeakError
from offline.items import Items
from offline.protocols.files import (
    read_split,
    read_split_table,
    write_split,
    write_split_table,
)
from offline.protocols.loso import LosoSettings
from offline.protocols.stimuli import StimuliSettings
from offline.protocols.trials import TrialsSettings
from offline.protocols.windows import WindowsSettings

N_SUBJECTS, N_TRIALS = 5, 8


def _items(n_windows: int = 1, level: str = "trial") -> Items:
    rows = [
        (f"s{s}", "", f"t{t}", f"clip {t}, long", w)
        for s in range(N_SUBJECTS)
        for t in range(N_TRIALS)
        for w in range(n_windows)
    ]
    subject, session, trial, stimulus, window = zip(*rows, strict=True)
    return Items(
        level=level,
        subject=subject,
        session=session,
        trial=trial,
        stimulus=stimulus,
        window=window if level == "window" else (),
    )


SPLITS = {
    "loso": (LosoSettings(), _items()),
    "stimuli": (StimuliSettings(), _items()),
    "trials": (TrialsSettings(), _items()),
    "windows": (WindowsSettings(), _items(3, "window")),
}


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_read_back_has_its_digest_and_still_proves_itself(
    name: str, tmp_path: Path
) -> None:
    protocol, items = SPLITS[name]
    split = protocol.split(items, classes={"v": np.arange(len(items)) % 2}, seed=1)
    write_split(tmp_path / "split.json", split)
    got = read_split(tmp_path / "split.json")
    assert got.digest == split.digest
    assert got.folds == split.folds
    got.prove(items)
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]


def test_a_split_that_was_edited_is_refused(tmp_path: Path) -> None:
    split = LosoSettings().split(_items(), classes={}, seed=1)
    path = tmp_path / "split.json"
    write_split(path, split)
    content = json.loads(path.read_text())
    content["split"]["leaky"] = True
    path.write_text(json.dumps(content))
    with pytest.raises(LeakError, match="somebody edited it"):
        read_split(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 1, "split": {}}', "\x00"])
def test_what_is_no_split_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(DataError, match="must be a split"):
        read_split(path)


def test_a_split_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    write_split(path, LosoSettings().split(_items(), classes={}, seed=1))
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(DataError, match="schema version 1, got 2"):
        read_split(path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize("name", SPLITS)
def test_a_table_written_and_read_is_the_same_split(name: str, suffix: str, tmp_path: Path) -> None:
    protocol, items = SPLITS[name]
    split = protocol.split(items, classes={"v": np.arange(len(items)) % 2}, seed=1)
    path = tmp_path / f"split{suffix}"
    write_split_table(path, items, split)
    got_items, got = read_split_table(path, leaky=split.leaky)
    assert set(split.disjoint) <= set(got.disjoint)
    got.prove(got_items)

    def spelled(of: Items, fold: object, role: str) -> set[tuple[str, ...]]:
        keys = list(of.keys("trial"))
        windows = of.window or [0] * len(of)
        return {(*keys[row], of.stimulus[row], str(windows[row])) for row in getattr(fold, role)}

    for one, other in zip(split.folds, got.folds, strict=True):
        assert one.name == other.name
        for role in ("train", "validation", "test"):
            assert spelled(items, one, role) == spelled(got_items, other, role)


def test_a_table_says_which_groups_it_keeps_apart(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "subject,trial,stimulus,role\n"
        "a,1,x,train\na,2,y,validation\na,3,z,test\nb,1,x,train\nb,3,z,test\n"
    )
    items, split = read_split_table(path)
    assert split.disjoint == ("trial", "stimulus")
    assert [fold.name for fold in split.folds] == ["1"]
    split.prove(items)


def test_a_table_without_names_of_stimuli_does_not_claim_to_keep_them_apart(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("subject,trial,role\na,1,train\nb,1,validation\nc,1,test\n")
    _, split = read_split_table(path)
    assert split.disjoint == ("subject", "session", "trial")


def test_a_table_that_names_a_trials_session_only_sometimes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "subject,session,trial,role\na,1,1,train\na,,1,test\na,1,2,validation\nb,,1,test\n"
    )
    with pytest.raises(DataError, match="in every line or in none: some say 1, others nothing"):
        read_split_table(path)


def test_a_table_that_leaks_is_read_and_does_not_prove_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "subject,trial,window,role\na,1,0,train\na,1,1,test\na,2,0,validation\na,2,1,train\n"
    )
    items, split = read_split_table(path)
    assert split.disjoint == ()
    with pytest.raises(LeakError, match="keep every trial in one role"):
        split.prove(items)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must have the columns subject, trial, role"),
        ("subject,trial\na,1\n", "must have the columns"),
        ("subject,trial,role,rolle\na,1,train,x\n", "got subject, trial, role, rolle"),
        ("subject,trial,role\n", "a line for each item, got none"),
        ("subject,trial,role\na,1,teach\n", r"line 2: role must be one of train.*'teach'"),
        ("subject,trial,role\na,1,train\na,2\n", "line 3: must have 3 columns"),
        ("subject,trial,role\na,1,train,x\n", "line 2: must have 3 columns"),
        ("subject,trial,window,role\na,1,first,train\n", "line 2: window must be a whole number"),
        (
            "subject,trial,stimulus,role\na,1,x,train\na,1,y,test\n",
            r"line 3: a trial has one stimulus.*'x' and 'y'",
        ),
    ],
)
def test_a_table_with_a_fault_is_refused_with_its_line(
    text: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_split_table(path)


def test_a_missing_or_binary_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no split table"):
        read_split_table(tmp_path / "nowhere.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="must be a table of text"):
        read_split_table(tmp_path / "binary.csv")


def test_an_item_with_two_roles_is_named_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    text = "subject,trial,role\na,1,train\na,2,validation\nb,1,test\na,1,test\n"
    path.write_text(text)
    with pytest.raises(
        LeakError, match=r"1 has more: subject a, trial 1 \(line 2: train, line 5: "
    ):
        read_split_table(path)
    path.write_text(text + "".join(f"c,{n},train\nc,{n},train\n" for n in range(5)))
    with pytest.raises(LeakError, match=r"6 have more: .*trial 1.*; and 3 more"):
        read_split_table(path)
