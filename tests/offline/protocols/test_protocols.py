"""Every protocol, on items of every shape: what it keeps apart is checked here once more."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sklearn.model_selection import StratifiedKFold

from offline.errors import LeakError
from offline.items import Items
from offline.protocols import PROTOCOLS, Protocol
from offline.protocols.contract import Fold, ProtocolSettings, Split
from offline.protocols.files import write_split_table
from offline.protocols.fixed import FixedSubjectsSettings, FixedTrialsSettings
from offline.protocols.loso import LosoSettings
from offline.protocols.portions import PortionsSettings
from offline.protocols.shares import deal, draw
from offline.protocols.stimuli import StimuliSettings
from offline.protocols.table import TableSettings
from offline.protocols.trials import TrialsSettings
from offline.protocols.windows import WindowsSettings

ROLES = ("train", "validation", "test")


def study(
    shown: list[list[int]], *, n_windows: int = 0, sessions: int = 1
) -> tuple[Items, dict[str, np.ndarray]]:
    """Return trials (or windows) of subjects who each saw the stimuli of one row."""
    rows = [
        (f"s{s:02d}", f"ses{n % sessions}", f"t{n}", f"clip{clip:02d}", window)
        for s, clips in enumerate(shown, start=1)
        for n, clip in enumerate(clips)
        for window in range(max(1, n_windows))
    ]
    columns = list(zip(*rows, strict=True))
    items = Items(
        level="window" if n_windows else "trial",
        subject=columns[0],
        session=columns[1],
        trial=columns[2],
        stimulus=columns[3],
        window=columns[4] if n_windows else (),
    )
    rng = np.random.default_rng(len(rows))
    return items, {name: rng.integers(2, size=len(rows)) for name in ("valence", "arousal")}


@st.composite
def shown_clips(draw_from: st.DrawFn) -> list[list[int]]:
    """Five to nine subjects, each of whom saw 10 to 14 of 14 clips, in an order of their own."""
    n_subjects = draw_from(st.integers(5, 9))
    seen = st.lists(st.integers(0, 13), min_size=10, max_size=14, unique=True)
    return [draw_from(seen) for _ in range(n_subjects)]


def assert_apart(split: Split, items: Items, *names: str) -> None:
    """Say it in other words than `Split.prove`: pair by pair, by looking at each item."""
    for fold in split.folds:
        role_of: dict[tuple[str, ...], str] = {}
        for role in ROLES:
            assert getattr(fold, role), (fold.name, role)
            for row in getattr(fold, role):
                key = tuple(getattr(items, name)[row] for name in names)
                assert role_of.setdefault(key, role) == role, (fold.name, key)


def n_tests(split: Split) -> Counter[int]:
    return Counter(row for fold in split.folds for row in fold.test)


HONEST: dict[str, tuple[ProtocolSettings, tuple[tuple[str, ...], ...]]] = {
    "loso": (LosoSettings(), (("subject",),)),
    "stimuli": (StimuliSettings(), (("subject",), ("stimulus",))),
    "stimuli-groups": (
        StimuliSettings(n_subject_folds=3, n_stimulus_folds=3, n_validation=1),
        (("subject",), ("stimulus",)),
    ),
    "trials": (TrialsSettings(), (("subject", "session", "trial"),)),
    "trials-pooled": (TrialsSettings(scope="pooled"), (("subject", "session", "trial"),)),
    "portions": (PortionsSettings(n_draws=3), (("subject",),)),
    "fixed_subjects": (
        FixedSubjectsSettings(train=("s01", "s04"), validation=("s02",), test=("s03", "s05")),
        (("subject",),),
    ),
}


@pytest.mark.parametrize("name", HONEST)
@given(shown=shown_clips(), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_what_a_protocol_says_is_apart_is_apart(
    name: str, shown: list[list[int]], seed: int
) -> None:
    protocol, apart = HONEST[name]
    items, classes = study(shown)
    split = protocol.split(items, classes=classes, seed=seed)
    for names in apart:
        assert_apart(split, items, *names)
    assert not split.leaky
    assert len({fold.name for fold in split.folds}) == len(split.folds)


@pytest.mark.parametrize("name", ["loso", "stimuli", "stimuli-groups", "trials", "trials-pooled"])
@given(shown=shown_clips(), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_every_trial_is_tested_once(name: str, shown: list[list[int]], seed: int) -> None:
    items, classes = study(shown)
    split = HONEST[name][0].split(items, classes=classes, seed=seed)
    assert n_tests(split) == dict.fromkeys(range(len(items)), 1)


@pytest.mark.parametrize("scope", ["pooled", "subject"])
@given(shown=shown_clips(), seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_window_folds_test_every_window_once_and_are_stamped(
    scope: str, shown: list[list[int]], seed: int
) -> None:
    items, classes = study(shown, n_windows=3)
    split = WindowsSettings(scope=scope).split(items, classes=classes, seed=seed)
    assert split.leaky
    assert split.level == "window"
    assert split.disjoint == ()
    assert n_tests(split) == dict.fromkeys(range(len(items)), 1)
    for fold in split.folds:
        assert not set(fold.train) & set(fold.test)
        assert not set(fold.validation) & set(fold.test)
        assert not set(fold.validation) & set(fold.train)


@pytest.mark.parametrize("name", [name for name in HONEST if not name.startswith("fixed")])
def test_the_same_seed_gives_the_same_split_and_another_seed_another(name: str) -> None:
    protocol, _ = HONEST[name]
    items, classes = study([list(range(12))] * 9)
    one = protocol.split(items, classes=classes, seed=3)
    assert one.digest == protocol.split(items, classes=classes, seed=3).digest
    assert one.digest != protocol.split(items, classes=classes, seed=4).digest


@pytest.mark.parametrize("name", HONEST)
@given(data=st.data(), shown=shown_clips())
@settings(max_examples=15, deadline=None)
def test_a_split_into_which_a_leak_was_put_is_refused(
    name: str, data: st.DataObject, shown: list[list[int]]
) -> None:
    protocol, apart = HONEST[name]
    items, classes = study(shown)
    split = protocol.split(items, classes=classes, seed=0)
    number = data.draw(st.integers(0, len(split.folds) - 1))
    fold = split.folds[number]
    tested_row = data.draw(st.sampled_from(fold.test))
    # Move one tested item into training: its like are still tested, or it is in both.
    group = apart[0]
    like = [
        row
        for row in fold.test
        if all(getattr(items, n)[row] == getattr(items, n)[tested_row] for n in group)
    ]
    kept = fold.test if len(like) == 1 else tuple(r for r in fold.test if r != tested_row)
    bad = replace(fold, train=tuple(sorted((*fold.train, tested_row))), test=kept)
    folds = (*split.folds[:number], bad, *split.folds[number + 1 :])
    with pytest.raises(LeakError, match=fold.name):
        replace(split, folds=folds).prove(items)


def test_a_split_of_other_items_is_refused() -> None:
    items, classes = study([list(range(12))] * 5)
    other, _ = study([list(range(13))] * 5)
    split = LosoSettings().split(items, classes=classes, seed=0)
    with pytest.raises(LeakError, match="made for"):
        split.prove(other)


def test_a_split_that_is_not_declared_leaky_keeps_trials_apart_whatever_it_says() -> None:
    items, classes = study([list(range(10))] * 5, n_windows=4)
    split = WindowsSettings().split(items, classes=classes, seed=0)
    split.prove(items)
    with pytest.raises(LeakError, match="keep every trial in one role"):
        replace(split, leaky=False, disjoint=()).prove(items)


def test_a_trial_that_is_listed_twice_is_refused_where_it_would_leak() -> None:
    items, classes = study([list(range(12))] * 5)
    twice = replace(items, trial=("t0", *items.trial[:1], *items.trial[2:]))
    with pytest.raises(LeakError, match="keep every trial in one role"):
        TrialsSettings(n_folds=12).split(twice, classes=classes, seed=0)


def test_loso_shares_validation_out_evenly() -> None:
    items, classes = study([list(range(10))] * 7)
    split = LosoSettings(n_validation=3).split(items, classes=classes, seed=5)
    assert [fold.name for fold in split.folds] == [f"s{n:02d}" for n in range(1, 8)]
    validates = Counter(items.subject[row] for fold in split.folds for row in fold.validation)
    assert set(validates.values()) == {3 * 10}
    assert all({items.subject[row] for row in fold.test} == {fold.name} for fold in split.folds)


def test_stimuli_leaves_the_rest_unused_and_uses_every_cell_that_it_may() -> None:
    items, classes = study([list(range(12))] * 6)
    split = StimuliSettings(n_validation=2).split(items, classes=classes, seed=1)
    assert len(split.folds) == 6 * 4
    assert split.folds[0].name == "s01-1"
    for fold in split.folds:
        assert (len(fold.test), len(fold.validation), len(fold.train)) == (3, 2 * 3, 3 * 6)


def test_stimuli_without_names_cannot_be_left_out() -> None:
    items, classes = study([list(range(12))] * 6)
    items = replace(items, stimulus=("", *items.stimulus[1:]))
    with pytest.raises(LeakError, match="a trial of s01 has none"):
        StimuliSettings().split(items, classes=classes, seed=0)


def test_a_fold_whose_subject_saw_none_of_the_tested_stimuli_is_left_out() -> None:
    items, classes = study([[0], *([list(range(12))] * 6)])
    split = StimuliSettings().split(items, classes=classes, seed=0)
    assert len(split.folds) == 6 * 4 + 1
    assert n_tests(split) == dict.fromkeys(range(len(items)), 1)


def test_trial_folds_hold_one_subject_each_and_every_class_in_its_share() -> None:
    items, _ = study([list(range(20))] * 3)
    high = np.arange(len(items)) % 4 == 0
    split = TrialsSettings(n_folds=5).split(items, classes={"v": high.astype(int)}, seed=2)
    assert [fold.name for fold in split.folds][:6] == [*(f"s01-{n}" for n in range(1, 6)), "s02-1"]
    for fold in split.folds:
        rows = [*fold.train, *fold.validation, *fold.test]
        assert len({items.subject[row] for row in rows}) == 1
        assert len(rows) == 20
        assert sum(high[row] for row in fold.test) == 1


def test_portions_are_of_the_subjects() -> None:
    items, classes = study([list(range(10))] * 20)
    (fold,) = PortionsSettings().split(items, classes=classes, seed=0).folds
    sizes = [len({items.subject[row] for row in getattr(fold, role)}) for role in ROLES]
    assert sizes == [16, 2, 2]


def test_lists_are_followed_to_the_letter() -> None:
    items, classes = study([list(range(10))] * 5)
    lists = {"train": ("s01", "s02"), "validation": ("s03",), "test": ("s05",)}
    (fold,) = FixedSubjectsSettings(**lists).split(items, classes=classes, seed=0).folds
    got = {
        role: tuple(dict.fromkeys(items.subject[r] for r in getattr(fold, role))) for role in ROLES
    }
    assert got == lists
    keys = {
        "train": ("s01", "ses0", "t1"),
        "validation": ("s01", "ses0", "t2"),
        "test": ("s02", "ses0", "t1"),
    }
    trials = FixedTrialsSettings(**{role: (key,) for role, key in keys.items()})
    (fold,) = trials.split(items, classes=classes, seed=0).folds
    assert (fold.train, fold.validation, fold.test) == ((1,), (2,), (11,))


def test_a_list_of_strangers_says_who_there_is() -> None:
    items, classes = study([list(range(10))] * 5)
    lists = FixedSubjectsSettings(train=("s01",), validation=("s02",), test=("s3",))
    with pytest.raises(LeakError, match=r"got s3\. There is .*s03"):
        lists.split(items, classes=classes, seed=0)


def test_a_name_in_two_lists_is_refused() -> None:
    items, classes = study([list(range(10))] * 5)
    lists = FixedSubjectsSettings(train=("s01", "s02"), validation=("s02",), test=("s03",))
    with pytest.raises(LeakError, match="s02 is in train and in validation"):
        lists.split(items, classes=classes, seed=0)


@pytest.mark.parametrize(
    ("protocol", "n_subjects", "n_trials", "words"),
    [
        (LosoSettings(n_validation=3), 4, 10, "at least 5 subjects, got 4"),
        (StimuliSettings(), 3, 10, "at least 4 subjects"),
        (StimuliSettings(n_subject_folds=6), 5, 10, "at least 6 subjects"),
        (StimuliSettings(n_stimulus_folds=5), 6, 4, "need as many, got 4"),
        (TrialsSettings(n_folds=5), 3, 4, "at least 5 trials, got 4 of s01"),
        (PortionsSettings(), 2, 10, "got 2 in all"),
    ],
)
def test_too_few_are_refused_in_words(
    protocol: ProtocolSettings, n_subjects: int, n_trials: int, words: str
) -> None:
    items, classes = study([list(range(n_trials))] * n_subjects)
    with pytest.raises(LeakError, match=words):
        protocol.split(items, classes=classes, seed=0)


def test_an_honest_protocol_takes_no_windows_and_a_leaky_one_no_trials() -> None:
    windows, classes = study([list(range(10))] * 5, n_windows=2)
    with pytest.raises(LeakError, match="shares out trials, got windows"):
        TrialsSettings().split(windows, classes=classes, seed=0)
    trials, classes = study([list(range(10))] * 5)
    with pytest.raises(LeakError, match="shares out windows, got trials"):
        WindowsSettings().split(trials, classes=classes, seed=0)


def test_a_table_is_a_protocol_whatever_the_order_of_its_lines(tmp_path: Path) -> None:
    items, classes = study([list(range(10))] * 5)
    split = LosoSettings().split(items, classes=classes, seed=0)
    path = tmp_path / "mine.csv"
    write_split_table(path, items, split)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *reversed(lines[1:])]))
    got = TableSettings(path=path).split(items, classes=classes, seed=0)
    assert {fold.name: fold for fold in got.folds} == {fold.name: fold for fold in split.folds}
    assert got.disjoint == ("subject", "session", "trial")
    fewer, classes = study([list(range(9))] * 5)
    with pytest.raises(LeakError, match="5 are not in it, such as s05/ses0/t9"):
        TableSettings(path=path).split(fewer, classes=classes, seed=0)


def test_a_table_names_sessions_only_where_there_are_several(tmp_path: Path) -> None:
    items, classes = study([list(range(10))] * 5)
    split = LosoSettings().split(items, classes=classes, seed=0)
    path = tmp_path / "mine.csv"
    write_split_table(path, items, replace(split, folds=split.folds[:1]))
    lines = [line.split(",") for line in path.read_text().splitlines()]
    column = lines[0].index("session")
    path.write_text("\n".join(",".join(row[:column] + row[column + 1 :]) for row in lines))
    got = TableSettings(path=path).split(items, classes=classes, seed=0)
    assert got.folds == split.folds[:1]
    twice = replace(
        items,
        session=items.session + tuple("again" for _ in range(len(items))),
        **{name: getattr(items, name) * 2 for name in ("subject", "trial", "stimulus")},
    )
    both = {name: np.tile(column, 2) for name, column in classes.items()}
    with pytest.raises(LeakError, match="is in sessions ses0, again: add a column session"):
        TableSettings(path=path).split(twice, classes=both, seed=0)


def test_a_table_that_was_moved_is_the_same_split(tmp_path: Path) -> None:
    items, classes = study([list(range(10))] * 5)
    digests = []
    for folder in (tmp_path / "here", tmp_path / "there"):
        folder.mkdir()
        write_split_table(
            folder / "mine.csv", items, LosoSettings().split(items, classes=classes, seed=0)
        )
        settings = TableSettings(path=folder / "mine.csv")
        digests.append(settings.split(items, classes=classes, seed=0).digest)
    assert digests[0] == digests[1]


def test_a_table_that_leaks_must_say_so(tmp_path: Path) -> None:
    items, classes = study([list(range(10))] * 5, n_windows=4)
    split = WindowsSettings().split(items, classes=classes, seed=0)
    path = tmp_path / "mine.tsv"
    write_split_table(path, items, split)
    with pytest.raises(LeakError, match="must keep every trial in one role"):
        TableSettings(path=path, windows=True).split(items, classes=classes, seed=0)
    told = TableSettings(path=path, windows=True, leaky=True)
    assert told.split(items, classes=classes, seed=0).leaky


@given(
    strata=st.lists(st.integers(0, 4), min_size=20, max_size=60),
    n_shares=st.integers(2, 6),
    seed=st.integers(0, 1000),
)
@settings(max_examples=30, deadline=None)
def test_dealing_is_as_even_as_stratified_k_fold(
    strata: list[int], n_shares: int, seed: int
) -> None:
    column = np.array(strata)
    shares = deal(column, n_shares, np.random.default_rng(seed))
    assert np.ptp(np.bincount(shares, minlength=n_shares)) <= 1
    counts = np.bincount(column)
    assume(counts[counts > 0].min() >= n_shares)  # where sklearn does not warn
    theirs = StratifiedKFold(n_shares, shuffle=True, random_state=seed)
    for stratum in np.unique(column):
        ours = np.bincount(shares[column == stratum], minlength=n_shares)
        other = [np.sum(column[test] == stratum) for _, test in theirs.split(column, column)]
        assert sorted(ours) == sorted(other)


@given(
    strata=st.lists(st.integers(0, 3), min_size=4, max_size=60),
    share=st.floats(0.05, 0.5),
    seed=st.integers(0, 1000),
)
@settings(max_examples=50, deadline=None)
def test_a_draw_takes_its_share_of_every_stratum(
    strata: list[int], share: float, seed: int
) -> None:
    column = np.array(strata)
    drawn = draw(column, share, np.random.default_rng(seed))
    n_drawn = max(1, round(share * len(column)))
    assert drawn.sum() == n_drawn
    for stratum in np.unique(column):
        wanted = n_drawn * np.mean(column == stratum)
        assert abs(drawn[column == stratum].sum() - wanted) < 1 + 1e-9


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_a_protocol_is_told_by_its_kind_and_says_what_it_is(kind: str) -> None:
    needed: dict[str, dict[str, object]] = {
        "fixed_subjects": {"train": ["a"], "validation": ["b"], "test": ["c"]},
        "fixed_trials": {role: [["a", "", role]] for role in ROLES},
        "table": {"path": "mine.csv"},
    }
    said = {"kind": kind, **needed.get(kind, {})}
    got = TypeAdapter(Protocol).validate_python(said)
    assert type(got) is PROTOCOLS[kind]
    assert (type(got).__doc__ or "").strip()
    with pytest.raises(ValidationError):
        TypeAdapter(Protocol).validate_python({**said, "n_foldz": 3})


def test_every_file_of_a_protocol_is_registered() -> None:
    folder = Path(__file__).parents[3] / "offline" / "protocols"
    shared = {"__init__", "contract", "files", "shares"}
    files = {path.stem for path in folder.glob("*.py")} - shared
    assert files == {settings.__module__.rpartition(".")[2] for settings in PROTOCOLS.values()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: replace(f, validation=()), "none for validation"),
        (
            lambda f: replace(f, validation=(*f.validation, f.test[0])),
            "gives subject s01, .*t0 two",
        ),
        (lambda f: replace(f, test=(*f.test, 999)), "items 0 to 49"),
    ],
)
def test_a_fold_that_is_none_is_refused(change: Callable[[Fold], Fold], words: str) -> None:
    items, classes = study([list(range(10))] * 5)
    split = LosoSettings().split(items, classes=classes, seed=0)
    with pytest.raises(LeakError, match=words):
        replace(split, folds=(change(split.folds[0]), *split.folds[1:])).prove(items)
