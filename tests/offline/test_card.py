"""A card says whom it was measured on, how, how well, and what nobody knows."""

import pytest

from offline.card import stamp_title, write_card
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_15
from rtaffect.core.spec import FrameSpec, SignalSpec, WindowSpec
from rtaffect.manifest import DataSet, Metric, Target, Training
from rtaffect.manifest_graphs import Rest, Slices

WINDOWS = WindowSpec(
    modalities={
        "eeg": SignalSpec(ch_names=EEG_15, bands_hz={"theta": (4.0, 8.0)}),
        "face": FrameSpec(ch_names=FACE_FEATURES),
    }
)
TARGETS = {
    "valence": Target(
        classes=("low", "high"),
        edges=(-1.0, 0.0, 1.0),
        prior=(0.43, 0.57),
        skill=0.1,
        temperature=1.0,
    ),
    "emotion": Target(classes=("joy", "fear"), prior=(0.5, 0.5), skill=0.1, temperature=1.0),
}
DATA = DataSet(kind="eav", title="EAV", reference="doi:10.1038/s41597", licence="CC-BY-4.0")


def _training(**changes: object) -> Training:
    settings: dict[str, object] = {
        "command": "by hand",
        "recipe": {},
        "versions": {},
        "participants": {"train": ("a", "b", "c"), "validation": ("d",), "test": ("e", "f")},
        "n_sequences": {},
        "metrics": {
            "valence": {
                "balanced_accuracy": Metric(value=0.5612, ci_low=0.49, ci_high=0.63),
                "trivial_accuracy": Metric(value=0.57),
                "prevalence": Metric(value=0.57),
            }
        },
        "data": DATA,
        "protocol": {"kind": "loso"},
        "checkpoint": "validation",
    }
    return Training.model_validate(settings | changes)


def _card(training: Training, **changes: object) -> str:
    settings: dict[str, object] = {
        "windows": WINDOWS,
        "slices": Slices(t_min=1, t_max=4, shape=(8,)),
        "targets": TARGETS,
        "training": training,
        "choices": ("The band edges are ours.", "Dropout is 0.2."),
    }
    return " ".join(write_card("A model.", **(settings | changes)).split())


def test_an_honest_card_holds_its_facts() -> None:
    card = _card(_training())
    for words in (
        "A model. Data: EAV (doi:10.1038/s41597), licence CC-BY-4.0. People: trained on 3, to "
        "choose the epoch and calibrate on 1, tested on 2.",
        "Not a medical device.",
        "eeg of 15 channels in uV at 128 Hz, filtered into theta 4-8 Hz; face of 29 features at "
        "32 Hz, which may be missing.",
        "It answers from 1 to 4 consecutive windows of 3 s.",
        "valence: low 43% (-1 to 0), high 57% (0 to 1)",
        "emotion: joy 50%, fear 50%",
        "Protocol: loso. The epoch was chosen on the validation people",
        "On 2 people tested, with 95 % intervals over people where there are any (over fewer than "
        "5 people do not believe them), counted per window: - valence: "
        "balanced accuracy 0.561 [0.490, 0.630]",
        "valence, without looking at anybody: trivial accuracy 0.570, share of 'high' 0.570",
        "- The band edges are ours. - Dropout is 0.2.",
    ):
        assert words in card
    for absent in ("LEAKY", "SIMULATED", "baseline of the person"):
        assert absent not in card


def test_a_card_of_one_fold_says_whose_numbers_it_shows() -> None:
    card = _card(_training(protocol={"kind": "loso", "n_folds": 18, "fold": "s03"}))
    assert (
        "On the test people of all 18 folds, each answered by a model trained without them" in card
    )
    assert "(this one is of fold s03)" in card


def test_a_card_of_shuffled_windows_says_what_was_shuffled_and_how_often_a_trial_counts() -> None:
    same = ("a", "b", "c")
    card = _card(
        _training(
            leaky=True,
            participants={"train": same, "validation": same, "test": same},
            protocol={
                "kind": "windows",
                "settings": {"kind": "windows"},
                "n_folds": 5,
                "fold": "1",
            },
        )
    )
    for words in (
        "those of one trial were trained on and tested",
        "Who was tested was also trained on.",
        "The epoch was chosen on the validation windows.",
        "a trial counts once for each fold in which windows of it were tested",
    ):
        assert words in card
    assert "were looked at once" not in card
    assert "without them" not in card


def test_a_card_of_known_people_does_not_speak_of_new_ones() -> None:
    card = _card(
        _training(
            participants={"train": ("a",), "validation": ("a",), "test": ("a",)},
            protocol={"kind": "trials", "n_folds": 5, "fold": "a-1"},
        )
    )
    assert "validation trials, and the test trials were looked at once" in card
    assert "a model trained without these trials, but not without their people" in card
    assert "On the test people" not in card


def test_a_card_of_windows_whose_trials_are_kept_apart_speaks_of_new_people() -> None:
    settings = {"kind": "table", "windows": True, "leaky": False}
    card = _card(_training(protocol={"kind": "table", "settings": settings}))
    assert "the test people were looked at once" in card
    assert "was also trained on" not in card
    assert "a trial counts once for each fold" not in card


def test_a_card_of_people_of_whom_some_are_known_does_not_say_all() -> None:
    people = {"train": ("a", "b"), "validation": ("a",), "test": ("b", "c")}
    card = _card(_training(participants=people, protocol={"kind": "table"}))
    assert "Some of those tested were also trained or validated on." in card
    assert "Who was tested was also trained on." not in card


def test_few_people_in_several_folds_are_warned_of() -> None:
    for n_people, warned in ((4, True), (5, False)):
        protocol = {"kind": "loso", "n_folds": n_people, "fold": "e", "n_people": n_people}
        assert ("do not believe them" in _card(_training(protocol=protocol))) == warned


def test_intervals_over_enough_people_are_not_warned_of() -> None:
    people = {"train": ("a",), "validation": ("b",), "test": ("c", "d", "e", "f", "g")}
    card = _card(_training(participants=people))
    assert "On 5 people tested" in card
    assert "do not believe them" not in card


def test_a_metric_of_one_class_names_it() -> None:
    metrics = {"emotion": {"f1_high": Metric(value=0.5), "always_high_f1_high": Metric(value=0.6)}}
    card = _card(_training(metrics=metrics))
    assert "F1 of 'fear' 0.500" in card
    assert "F1 of always 'fear' 0.600" in card


def test_what_is_counted_per_trial_is_told_of_where_there_is_any() -> None:
    metrics = {"valence": {"balanced_accuracy_per_trial": Metric(value=0.5)}}
    card = _card(_training(metrics=metrics))
    assert "counted per window unless they say per trial: " in card


def test_one_person_and_one_window_are_not_plural() -> None:
    card = _card(
        _training(participants={"train": ("a",), "validation": ("b",), "test": ("c",)}),
        rest=Rest(shape=(2,), min_windows=1, required=True),
    )
    assert "On 1 person tested" in card
    assert "of at least 1 clean window." in card


def test_a_leaky_card_begins_with_that_and_believes_no_number() -> None:
    card = _card(_training(leaky=True, checkpoint="best_test"))
    assert card.startswith("LEAKY: test data took part")
    assert "LEAKY numbers, not to be believed, counted per window" in card
    assert "best on the TEST people" in card


def test_a_simulated_card_says_that_nobody_was_measured() -> None:
    data = DATA.model_copy(update={"simulated": True})
    assert "All participants are SIMULATED. Nobody was measured" in _card(_training(data=data))


def test_single_windows_and_a_baseline_are_said() -> None:
    card = _card(
        _training(),
        slices=Slices(t_min=1, t_max=1, shape=(8,)),
        rest=Rest(shape=(2,), min_windows=6, required=True),
    )
    assert "It answers from one window of 3 s. It needs a baseline of the person at rest" in card
    assert "at least 6 clean windows" in card


def test_a_solved_model_is_not_said_to_have_epochs() -> None:
    card = _card(_training(checkpoint="solved"))
    assert "to calibrate on 1, tested" in card
    assert (
        "It was solved at once, without epochs; the temperature was set on the validation people, "
        "and the test people were looked at once."
    ) in card
    assert "choose" not in card


def test_what_was_not_measured_is_said() -> None:
    assert "How well it does was not measured." in _card(_training(metrics={}))


def test_a_card_without_data_is_refused() -> None:
    with pytest.raises(ValueError, match="must name the data set"):
        _card(_training(data=None))


def test_a_title_is_stamped_once_and_only_where_it_must() -> None:
    assert stamp_title("Mine", leaky=False) == "Mine"
    assert stamp_title(stamp_title("Mine", leaky=True), leaky=True) == "[LEAKY] Mine"
