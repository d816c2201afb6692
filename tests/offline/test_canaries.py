"""What leaks sings; what is honest stays silent; choosing by the test set earns points on noise."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from offline.audit import audit
from offline.canaries import LIMIT, require_strangers, select, sign
from offline.errors import LeakError
from offline.items import Items
from offline.protocols.contract import Fold, ProtocolSettings, Split
from offline.protocols.files import kept_apart
from offline.protocols.fixed import FixedSubjectsSettings, FixedTrialsSettings
from offline.protocols.loso import LosoSettings
from offline.protocols.portions import PortionsSettings
from offline.protocols.stimuli import StimuliSettings
from offline.protocols.trials import TrialsSettings
from offline.protocols.windows import WindowsSettings

SUBJECTS, TRIALS = 6, 20


def items_of(*, n_windows: int = 0) -> Items:
    rows = [
        (f"s{s}", f"t{t}", f"clip{t}", window)
        for s in range(SUBJECTS)
        for t in range(TRIALS)
        for window in range(max(1, n_windows))
    ]
    subject, trial, stimulus, window = zip(*rows, strict=True)
    return Items(
        level="window" if n_windows else "trial",
        subject=subject,
        session=("",) * len(rows),
        trial=trial,
        stimulus=stimulus,
        window=window if n_windows else (),
    )


def split_of(protocol: ProtocolSettings) -> tuple[Items, Split]:
    items = items_of(n_windows=8 if protocol.level == "window" else 0)
    classes = {"valence": np.random.default_rng(0).integers(2, size=len(items))}
    return items, protocol.split(items, classes=classes, seed=0)


def keys(trials: Sequence[int]) -> tuple[tuple[str, str, str], ...]:
    return tuple((f"s{s}", "", f"t{t}") for s in range(SUBJECTS) for t in trials)


HONEST = {
    "loso": LosoSettings(),
    "stimuli": StimuliSettings(),
    "trials": TrialsSettings(),
    "trials-pooled": TrialsSettings(scope="pooled"),
    "portions": PortionsSettings(n_draws=3),
    "fixed_subjects": FixedSubjectsSettings(
        train=("s0", "s1", "s2"), validation=("s3",), test=("s4", "s5")
    ),
    "fixed_trials": FixedTrialsSettings(
        train=keys(range(10)), validation=keys(range(10, 13)), test=keys(range(13, 20))
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_protocol_is_silent_on_trial_signatures(name: str) -> None:
    items, split = split_of(HONEST[name])
    found = require_strangers(items, split, seed=0)
    assert found.accuracy == pytest.approx(0.5, abs=0.05)
    assert not found.is_known


@pytest.mark.parametrize("scope", ["pooled", "subject"])
def test_shuffled_windows_know_every_trial_again(scope: str) -> None:
    items, split = split_of(WindowsSettings(scope=scope))
    assert require_strangers(items, split, seed=0).accuracy > 0.99  # declared leaky
    with pytest.raises(LeakError, match=r"names 100% of labels that were tossed"):
        require_strangers(items, replace(split, leaky=False), seed=0)


def test_half_a_leak_is_half_as_loud() -> None:
    """Half of the tested trials have a window in training: half are known, half are tossed."""
    items = items_of(n_windows=4)
    trials = np.arange(len(items)) // 4
    leaks = (trials % 4 == 0) & (np.arange(len(items)) % 4 < 2)
    role = np.where(leaks | (trials % 4 == 2), "train", "test")
    role[trials % 4 == 3] = "rest"
    # Per leaking trial two windows are tested, per honest one four: the share is 1/3.
    train, rest, test = (
        tuple(np.flatnonzero(role == name).tolist()) for name in ("train", "rest", "test")
    )
    fold = Fold(name="half", train=train, validation=rest, test=test)
    split = Split(
        protocol="table",
        settings={},
        level="window",
        disjoint=kept_apart(items, (fold,)),
        leaky=False,
        folds=(fold,),
        items_digest=items.digest,
    )
    assert sign(items, split, "trial", seed=0).accuracy == pytest.approx(0.5 + 0.5 / 3, abs=0.03)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("loso", {"stimulus"}),
        ("stimuli", set()),
        ("trials", {"subject"}),
        ("trials-pooled", {"subject", "stimulus"}),
        ("portions", {"stimulus"}),
        ("fixed_trials", {"subject"}),
    ],
)
def test_it_is_told_who_is_met_again(name: str, known: set[str]) -> None:
    items, split = split_of(HONEST[name])
    found = {group: sign(items, split, group, seed=1) for group in ("trial", "subject", "stimulus")}
    assert {group for group, one in found.items() if one.is_known} == known
    for group, one in found.items():
        assert (one.accuracy > 0.9) if group in known else (abs(one.accuracy - 0.5) < 0.08)


@pytest.mark.parametrize("name", ["loso", "trials-pooled"])
def test_on_noise_our_rule_gains_nothing_and_the_best_test_epoch_does(name: str) -> None:
    items, split = split_of(HONEST[name])
    found = select(items, split, seed=0)
    error = 0.5 / np.sqrt(found.n_tested)
    assert found.accuracy["validation"] == pytest.approx(0.5, abs=4 * error)
    assert found.accuracy["last"] == pytest.approx(0.5, abs=4 * error)
    assert found.accuracy["best_test"] > 0.5 + 6 * error
    assert found.inflation == found.accuracy["best_test"] - found.accuracy["last"] > 0.05


def test_canaries_sing_the_same_for_the_same_seed() -> None:
    items, split = split_of(HONEST["loso"])
    assert sign(items, split, "trial", seed=3) == sign(items, split, "trial", seed=3)
    assert select(items, split, seed=3) == select(items, split, seed=3)


def test_a_split_that_tests_nothing_has_no_canary() -> None:
    items, split = split_of(HONEST["loso"])
    nothing = replace(split, folds=tuple(replace(fold, test=()) for fold in split.folds))
    with pytest.raises(LeakError, match="trains and tests"):
        sign(items, nothing, "trial", seed=0)
    with pytest.raises(LeakError, match="trains, validates and tests"):
        select(items, nothing, seed=0)


def test_an_audit_of_a_sound_split_refuses_nothing() -> None:
    found = audit(*split_of(HONEST["loso"]), seed=0)
    assert (found.refusals, found.fault) == ((), "")
    assert [one.group for one in found.signatures] == ["trial", "subject", "stimulus"]


def test_an_audit_without_validation_says_so_and_goes_on() -> None:
    items, split = split_of(HONEST["loso"])
    bare = replace(split, folds=tuple(replace(fold, validation=()) for fold in split.folds))
    found = audit(items, bare, seed=0)
    assert found.selection is None
    assert "none for validation" in found.refusals[0]
    assert len(found.refusals) == 1


def test_an_audit_refuses_a_leak_twice_over_and_a_declared_one_not_at_all() -> None:
    items, split = split_of(WindowsSettings())
    assert audit(items, split, seed=0).refusals == ()
    told = audit(items, replace(split, leaky=False), seed=0).refusals
    assert len(told) == 2
    assert f"may be to {LIMIT:.0%}" in told[1]
