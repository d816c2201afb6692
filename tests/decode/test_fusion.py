"""Fusion over estimates made by hand: who counts, how much, and of which moment."""

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from fused_cases import HALVES, THIRDS, bundle, said, target
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.bundle import Bundle
from rtaffect.config.fusion import FusionSettings
from rtaffect.core.errors import ConfigError
from rtaffect.core.estimate import Estimate
from rtaffect.core.window import Flag
from rtaffect.decode.fusion import Fusion
from rtaffect.decode.membership import membership_of

EEG = bundle("eeg", ["eeg"], {"valence": target(0.2), "arousal": target(0.4)})
FACE = bundle("face", ["face"], {"valence": target(0.5), "arousal": target(0.1)})
ROI = bundle("roi", ["roi"], {"valence": target(0.3, edges=THIRDS), "arousal": target(0.3)})
UP, DOWN = (0.25, 0.75), (0.9, 0.1)
BOTH = {"valence": UP, "arousal": DOWN}
THREE = {"valence": (0.2, 0.3, 0.5), "arousal": UP}


def fusion(*bundles: Bundle, **numbers: float) -> Fusion:
    rule = FusionSettings(enabled=True, **numbers)
    membership = membership_of({one.manifest.name: one for one in bundles}, rule)
    assert membership is not None
    return Fusion(membership, rule)


def pushed(fused: Fusion, *estimates: Estimate) -> list[Estimate]:
    return [one for estimate in estimates for one in fused.push(estimate)]


def of(name: str, estimates: Sequence[Estimate]) -> list[Estimate]:
    return [estimate for estimate in estimates if estimate.decoder == name]


def pooled(
    answers: Sequence[Sequence[float]], weights: Sequence[float], prior: Sequence[float]
) -> list[float]:
    """The rule, written a second time."""
    logs = np.log(prior) + sum(
        w * (np.log(p) - np.log(prior)) for p, w in zip(answers, weights, strict=True)
    )
    p = np.exp(logs)
    return list(p / p.sum())


def test_the_newest_of_each_by_skill_coverage_and_age() -> None:
    fused = fusion(EEG, FACE, tau_s=10.0)
    pushed(
        fused,
        said(FACE, 98.0, {"valence": DOWN, "arousal": DOWN}),
        said(FACE, 100.0, BOTH, coverage=0.8),
    )
    (found,) = fused.push(said(EEG, 102.5, {"valence": DOWN, "arousal": UP}, coverage=0.5))
    valence = [0.2 * 0.5, 0.5 * 0.8 * math.exp(-0.25)]
    arousal = [0.4 * 0.5, 0.1 * 0.8 * math.exp(-0.25)]
    even = (0.5, 0.5)
    assert found.targets["valence"].probabilities == pytest.approx(
        pooled([DOWN, UP], valence, even)
    )
    assert found.targets["arousal"].probabilities == pytest.approx(
        pooled([UP, DOWN], arousal, even)
    )
    assert found.contributions == pytest.approx(
        {"eeg": (valence[0] + arousal[0]) / 2, "face": (valence[1] + arousal[1]) / 2}
    )
    assert (found.decoder, found.t_start, found.t_end) == ("fused-latest", 99.5, 102.5)
    assert found.coverage == pytest.approx({"eeg": 0.5, "face": 0.8})
    assert found.n_slices == 2
    assert found.lag_s == 0.0
    digests = sorted(one.digest for one in (EEG, FACE))
    assert found.bundle_digest == hashlib.sha256("\n".join(digests).encode()).hexdigest()
    certainty = {
        name: 1 + sum(p * math.log2(p) for p in found.targets[name].probabilities)
        for name in ("valence", "arousal")
    }
    seen = {
        "valence": (valence[0] * 0.5 + valence[1] * 0.8) / sum(valence),
        "arousal": (arousal[0] * 0.5 + arousal[1] * 0.8) / sum(arousal),
    }
    expected = np.mean([certainty[name] * seen[name] for name in certainty])
    assert found.confidence == pytest.approx(expected)


def test_each_estimate_of_a_member_makes_one_of_the_latest_and_others_make_none() -> None:
    stranger = bundle("stranger", ["eeg"], {"dominance": target(0.9)})
    fused = fusion(EEG, FACE, stranger)
    ends = [
        len(fused.push(said(one, t, None)))
        for t in (100.0, 100.25)
        for one in (EEG, FACE, stranger)
    ]
    assert ends == [1, 1, 0, 1, 1, 0]
    assert list(fused.membership.members) == ["eeg", "face"]


def test_fmri_is_as_old_as_what_it_speaks_of() -> None:
    """A frame at 100 speaks of 95 s; it comes later than a window that ends at 104."""
    fused = fusion(EEG, ROI, tau_s=10.0)
    fused.push(said(EEG, 104.0, BOTH))
    latest, _ = fused.push(said(ROI, 100.0, THREE))
    assert latest.t_end == 104.0
    assert latest.contributions["roi"] == pytest.approx(0.3 * math.exp(-0.9))
    assert latest.contributions["eeg"] == pytest.approx((0.2 + 0.4) / 2)
    assert latest.lag_s == 0.0


def test_weights_above_one_are_scaled_down() -> None:
    a = bundle("a", ["eeg"], {"valence": target(0.9)})
    b = bundle("b", ["face"], {"valence": target(0.6)})
    fused = fusion(a, b)
    found = pushed(fused, said(a, 100.0, {"valence": UP}), said(b, 100.0, {"valence": UP}))[-1]
    assert found.contributions == pytest.approx({"a": 0.6, "b": 0.4})
    assert found.targets["valence"].probabilities == pytest.approx(UP)


def test_a_member_that_was_never_heard_is_missing_and_one_that_fell_silent_is_stale() -> None:
    fused = fusion(EEG, FACE, hold_s=10.0, tau_s=10.0)
    (first,) = fused.push(said(EEG, 100.0, BOTH))
    assert first.flags == (("face", Flag.MISSING),)
    assert first.contributions == pytest.approx({"eeg": 0.3, "face": 0.0})
    assert first.coverage == {"eeg": 1.0, "face": 0.0}
    fused.push(said(FACE, 100.0, BOTH))
    (held,) = fused.push(said(EEG, 110.0, BOTH))
    assert held.flags == ()
    assert held.contributions["face"] == pytest.approx(0.3 * math.exp(-1.0))
    (alone,) = fused.push(said(EEG, 110.25, BOTH))
    assert alone.flags == (("face", Flag.STALE),)
    assert alone.contributions == pytest.approx({"eeg": 0.3, "face": 0.0})


def test_a_member_without_an_answer_has_no_weight_and_says_why() -> None:
    fused = fusion(EEG, FACE)
    fused.push(said(FACE, 100.0, BOTH))
    lost = (("eeg", Flag.GAP), ("eeg", Flag.MISSING))
    (found,) = fused.push(said(EEG, 100.25, None, coverage=0.0, flags=lost))
    assert found.flags == lost
    assert found.contributions["eeg"] == 0.0
    assert found.targets.keys() == {"valence", "arousal"}
    assert found.n_slices == 1


@pytest.mark.parametrize("coverage", [0.0, 1.0])
def test_without_any_weight_there_is_no_answer(coverage: float) -> None:
    answers = BOTH if coverage == 0 else None
    fused = fusion(EEG, FACE)
    (found,) = fused.push(said(EEG, 100.0, answers, coverage=coverage))
    assert found.targets == {}
    assert found.contributions == {}
    assert (found.confidence, found.n_slices) == (0.0, 0)
    assert ("face", Flag.MISSING) in found.flags


@pytest.mark.parametrize(("eeg", "face"), [(1.0, 0.0), (0.4, 1.0), (0.8, 0.6)])
def test_a_model_of_both_counts_for_what_is_there_of_both(eeg: float, face: float) -> None:
    joint = bundle("joint", ["eeg", "face"], {"valence": target(0.6)})
    fused = fusion(joint, bundle("other", ["roi"], {"valence": target(0.3)}))
    estimate = said(joint, 100.0, {"valence": UP}, coverage={"eeg": eeg, "face": face})
    (found,) = fused.push(estimate)
    assert found.contributions["joint"] == pytest.approx(0.6 * (eeg + face) / 2)


def test_a_modality_that_two_hear_is_covered_as_by_their_mean() -> None:
    joint = bundle("joint", ["eeg", "face"], {"valence": target(0.6)})
    found = pushed(
        fusion(joint, EEG),
        said(joint, 100.0, {"valence": UP}, coverage={"eeg": 1.0, "face": 0.5}),
        said(EEG, 100.0, BOTH, coverage=0.6),
    )[-1]
    assert found.coverage == pytest.approx({"eeg": 0.8, "face": 0.5})


def test_a_frame_is_paired_with_the_windows_of_its_moment() -> None:
    """A frame at 110 speaks of 105 s: windows of 3 s with centres in [104, 106]."""
    fused = fusion(EEG, ROI)
    answers = {
        t_end: (float(p), float(1 - p))
        for t_end, p in zip(
            np.arange(100.0, 113.25, 0.25).tolist(), np.linspace(0.1, 0.9, 53), strict=True
        )
    }
    for t_end, p in answers.items():
        fused.push(said(EEG, t_end, {"valence": p, "arousal": p}))
    aligned = of("fused-aligned", fused.push(said(ROI, 110.0, THREE)))
    assert len(aligned) == 1
    logs = np.mean(
        [np.log(p) for t_end, p in answers.items() if 104.0 <= t_end - 1.5 <= 106.0], axis=0
    )
    mean = np.exp(logs) / np.exp(logs).sum()
    assert sum(104.0 <= t_end - 1.5 <= 106.0 for t_end in answers) == 9
    found = aligned[0]
    even = (0.5, 0.5)
    assert found.targets["arousal"].probabilities == pytest.approx(
        pooled([mean, UP], [0.4, 0.3], even)
    )
    edges = (-1.0, -0.25, 0.0, 0.25, 1.0)
    assert found.targets["valence"].edges == edges
    halves = np.array([0.375, 0.125, 0.125, 0.375])
    thirds = np.array([1 / 3, 1 / 6, 1 / 6, 1 / 3])
    on_four = [
        np.repeat(mean, 2) * [0.75, 0.25, 0.25, 0.75],
        np.array([0.2, 0.15, 0.15, 0.5]),
    ]
    assert found.targets["valence"].probabilities == pytest.approx(
        pooled(on_four, [0.2, 0.3], (halves + thirds) / 2)
    )
    assert (found.t_start, found.t_end, found.lag_s) == (90.0, 110.0, 5.0)
    assert found.flags == ()
    assert found.contributions == pytest.approx({"eeg": 0.3, "roi": 0.3})


def test_the_lag_of_the_session_goes_before_the_models() -> None:
    fused = fusion(EEG, ROI, lag_s=4.0)
    for t_end in np.arange(100.0, 113.25, 0.25).tolist():
        fused.push(said(EEG, t_end, BOTH if 106.5 <= t_end <= 108.5 else None))
    (aligned,) = of("fused-aligned", fused.push(said(ROI, 110.0, THREE)))
    assert aligned.lag_s == 4.0
    assert aligned.contributions["eeg"] == pytest.approx(0.3)


@pytest.mark.parametrize("t_end", [103.0, 110.0])
def test_fmri_alone_answers_where_nothing_else_speaks_of_its_moment(t_end: float) -> None:
    fused = fusion(EEG, ROI)
    fused.push(said(EEG, t_end, BOTH))
    (aligned,) = of("fused-aligned", fused.push(said(ROI, 110.0, THREE)))
    assert aligned.flags == (("eeg", Flag.MISSING),)
    assert aligned.contributions == pytest.approx({"eeg": 0.0, "roi": 0.3})
    assert aligned.coverage == {"eeg": 0.0, "roi": 1.0}
    assert aligned.targets["arousal"].probabilities == pytest.approx(
        pooled([UP], [0.3], (0.5, 0.5))
    )


def test_windows_of_the_moment_without_an_answer_say_why() -> None:
    fused = fusion(EEG, ROI)
    lost = (("eeg", Flag.GAP), ("eeg", Flag.MISSING))
    fused.push(said(EEG, 106.25, BOTH, coverage=0.5, flags=(("eeg", Flag.ARTIFACT),)))
    fused.push(said(EEG, 106.5, None, coverage=0.0, flags=lost))
    (aligned,) = of("fused-aligned", fused.push(said(ROI, 110.0, THREE)))
    assert aligned.flags == (("eeg", Flag.ARTIFACT),)
    assert aligned.contributions["eeg"] == pytest.approx(0.15)
    other = fusion(EEG, ROI)
    other.push(said(EEG, 106.5, None, coverage=0.0, flags=lost))
    (aligned,) = of("fused-aligned", other.push(said(ROI, 110.0, THREE)))
    assert aligned.flags == lost


def test_a_lost_frame_leaves_what_the_others_said_of_its_moment() -> None:
    fused = fusion(EEG, ROI)
    fused.push(said(EEG, 106.5, BOTH))
    late = (("roi", Flag.LATE), ("roi", Flag.MISSING))
    (aligned,) = of("fused-aligned", fused.push(said(ROI, 110.0, None, flags=late)))
    assert aligned.flags == late
    assert aligned.contributions == pytest.approx({"eeg": 0.3, "roi": 0.0})


@pytest.mark.parametrize("answers", [None, BOTH])
def test_where_only_fmri_answers_it_has_all_its_weight_and_says_how_far_back_it_speaks(
    answers: dict[str, Sequence[float]] | None,
) -> None:
    fused = fusion(EEG, ROI)
    (lost,) = fused.push(said(EEG, 112.0, answers, coverage=0.0))
    assert (lost.targets, lost.lag_s) == ({}, 0.0)
    latest, aligned = fused.push(said(ROI, 110.0, THREE))
    assert latest.contributions == aligned.contributions == pytest.approx({"eeg": 0.0, "roi": 0.3})
    assert (latest.t_end, latest.lag_s) == (112.0, 7.0)
    assert (aligned.t_end, aligned.lag_s) == (110.0, 5.0)


def test_two_scanner_models_pair_by_the_moment_they_speak_of() -> None:
    other = bundle("other", ["roi"], {"valence": target(0.2, edges=THIRDS)})
    fused = fusion(ROI, other)
    first = pushed(fused, said(ROI, 110.0, THREE))[-1]
    second = pushed(fused, said(other, 110.0, {"valence": (0.1, 0.1, 0.8)}))[-1]
    assert first.contributions["other"] == 0.0
    assert second.contributions == pytest.approx({"roi": 0.3, "other": 0.2})


def test_without_fmri_there_is_no_aligned_output() -> None:
    assert [info.name for info in fusion(EEG, FACE).membership.infos] == ["fused-latest"]
    names = [info.name for info in fusion(EEG, ROI).membership.infos]
    assert names == ["fused-latest", "fused-aligned"]


def test_outputs_are_described_as_decoders_are() -> None:
    latest, aligned = fusion(EEG, FACE, ROI).membership.infos
    assert latest.members == aligned.members == ("eeg", "face", "roi")
    assert set(latest.modalities) == {"eeg", "face", "roi"}
    assert latest.targets["valence"].edges == (-1.0, -0.25, 0.0, 0.25, 1.0)
    assert latest.targets["arousal"].edges == HALVES
    assert (latest.window_s, latest.hop_s) == (3.0, 0.25)
    assert (aligned.window_s, aligned.hop_s) == (20.0, 2.0)
    assert not latest.simulated


def test_one_simulated_member_makes_it_simulated() -> None:
    pretend = bundle("pretend", ["face"], {"valence": target(0.5)}, simulated=True)
    assert fusion(EEG, pretend).membership.infos[0].simulated


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_the_order_of_the_decoders_in_the_session_changes_nothing(data: st.DataObject) -> None:
    probability = st.floats(0.01, 0.99)
    estimates = []
    for t_end in (100.0, 102.0, 104.0, 106.0, 108.0):
        for one in (EEG, FACE, ROI):
            p = data.draw(probability)
            valence = (p / 2, p / 2, 1 - p) if one is ROI else (p, 1 - p)
            answers = {"valence": valence, "arousal": (p, 1 - p)}
            is_lost = data.draw(st.booleans())
            share = data.draw(st.floats(0, 1))
            estimates.append(said(one, t_end, None if is_lost else answers, coverage=share))
    order = data.draw(st.permutations([EEG, FACE, ROI]))
    found = pushed(fusion(EEG, FACE, ROI), *estimates)
    turned = pushed(fusion(*order), *estimates)
    assert [one.canonical() for one in found] == [one.canonical() for one in turned]
    for one in found:
        assert math.fsum(one.contributions.values()) <= 1 + 1e-12
        for distribution in one.targets.values():
            assert math.fsum(distribution.probabilities) == pytest.approx(1.0)
            assert all(0 < p < 1 for p in distribution.probabilities)
        assert 0 <= one.confidence <= 1


def test_a_member_without_skill_changes_nothing() -> None:
    idle = bundle("idle", ["roi"], {"valence": target(0.0, edges=THIRDS), "arousal": target(0.0)})
    estimates = [said(EEG, 100.0, BOTH), said(FACE, 100.0, BOTH), said(EEG, 100.25, BOTH)]
    mixed = [estimates[0], said(idle, 100.0, THREE), *estimates[1:]]
    without = pushed(fusion(EEG, FACE), *estimates)
    with_idle = pushed(fusion(EEG, FACE, idle), *mixed)
    assert [one.canonical() for one in without] == [one.canonical() for one in with_idle]


DOMINANCE = bundle("dominance", ["face"], {"dominance": target(0.5)})
JOINT = bundle("joint", ["eeg", "face"], {"valence": target(0.7)})
SKILLESS = bundle("skilless", ["face"], {"valence": target(0.0)})


@pytest.mark.parametrize(
    ("bundles", "is_fused"),
    [
        ([EEG, FACE], True),
        ([JOINT, ROI], True),
        ([EEG], False),
        ([EEG, DOMINANCE], False),
        ([EEG, JOINT], False),
        ([EEG, SKILLESS], False),
        ([EEG, JOINT, ROI], True),
    ],
)
def test_what_complements_one_another_is_fused_unless_stated(
    bundles: list[Bundle], is_fused: bool
) -> None:
    named = {one.manifest.name: one for one in bundles}
    assert (membership_of(named, FusionSettings()) is not None) == is_fused
    assert membership_of(named, FusionSettings(enabled=False)) is None


def test_what_hears_the_same_is_fused_where_the_session_says_so() -> None:
    membership = membership_of({"eeg": EEG, "joint": JOINT}, FusionSettings(enabled=True))
    assert membership is not None
    assert list(membership.pools) == ["valence"]


def test_what_cannot_be_fused_is_refused_where_the_session_asks_for_it() -> None:
    with pytest.raises(ConfigError, match="common target and skill on it, and eeg, dominance"):
        membership_of({"eeg": EEG, "dominance": DOMINANCE}, FusionSettings(enabled=True))


def test_a_hold_that_does_not_cover_the_lag_is_refused() -> None:
    named: Mapping[str, Bundle] = {"eeg": EEG, "roi": ROI}
    with pytest.raises(ConfigError, match=r"hold_s must be at least 13 s for roi .* got 12 s"):
        membership_of(named, FusionSettings(hold_s=12.0, lag_s=9.0))
    assert membership_of(named, FusionSettings(hold_s=13.0, lag_s=9.0)) is not None


def test_the_same_estimates_give_the_same_bytes() -> None:
    estimates = [said(EEG, 100.0 + k / 4, BOTH) for k in range(40)]
    estimates.insert(30, said(ROI, 104.0, THREE))
    first, second = (pushed(fusion(EEG, ROI), *estimates) for _ in range(2))
    assert [one.canonical() for one in first] == [one.canonical() for one in second]
