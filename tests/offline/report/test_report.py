import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from sklearn.metrics import balanced_accuracy_score
from synthetic_study import (
    RECIPE,
    TARGETS,
    make_maps,
    make_predictions,
    make_study,
    make_variant,
)

from offline.changes import with_changes
from offline.report.brain import draw_maps
from offline.report.numbers import count, least_p, wilson
from offline.report.study import Study
from offline.report.variants import changed, sees_face
from offline.report.words import describe, table
from offline.report.write import write_report


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = make_study(leaky=True)
    first = replace(study.variants[0], maps=(make_maps(),))
    study = replace(study, variants=(first, *study.variants[1:]))
    return write_report([study], tmp_path_factory.mktemp("leaky"))


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report([make_study(simulated=False)], tmp_path_factory.mktemp("honest"))


def test_maps_that_variants_have_alike_are_drawn_once() -> None:
    maps = make_maps()
    front, back = maps.panels.items()
    other = replace(maps, panels=dict([front, (back[0], 2.0 * back[1])]))
    first, second, *_ = make_study().variants
    three = [
        replace(first, name="full", maps=(maps,)),
        replace(second, name="other", maps=(other,)),
        replace(second, name="same", maps=(make_maps(),)),
    ]
    drawings = list(draw_maps(three, simulated=False))
    assert [d.name for d in drawings] == ["maps_1", "2_maps_1"]
    assert drawings[0].title.endswith("(full, same)")


def test_the_headline_is_the_share_of_right_trials() -> None:
    study = make_study(rates={"full": 0.9, "useless": 0.5})
    numbers = count(study)
    for target in TARGETS:
        said = study.variants[0].answers["validation"][target][0]
        one_a_trial = said.rows(said.window == 0)
        expected = balanced_accuracy_score(one_a_trial.label, one_a_trial.log_p.argmax(axis=1))
        found = numbers.of(target)[0].chosen.per_trial
        assert found.scores["balanced_accuracy"].value == pytest.approx(expected)
        assert found.n == 160


def test_a_variant_that_costs_is_told_from_one_that_does_not() -> None:
    numbers = count(make_study(rates={"full": 0.9, "useless": 0.5, "alike": 0.9}))
    for change in numbers.changes:
        high = change.difference.value.ci_high
        assert high is not None
        assert (high < 0) == (change.variant == "useless")


def test_every_table_and_every_figure_of_a_leaky_run_is_stamped(leaky: Path) -> None:
    text = leaky.read_text()
    assert "LEAKY PROTOCOL" in text.splitlines()[0]
    lines = text.splitlines()
    tables = [i for i, line in enumerate(lines) if line.startswith("| :---")]
    assert len(tables) >= 8
    for i in tables:
        above = "\n".join(lines[max(0, i - 5) : i])
        assert "LEAKY PROTOCOL" in above
        assert "SIMULATED" in above
    captions = [line for line in lines if line.startswith("**Figure")]
    assert len(captions) == len(list((leaky.parent / "figures").glob("*.png"))) >= 7
    assert all("LEAKY PROTOCOL" in line and "SIMULATED" in line for line in captions)


def test_a_stamp_is_painted_on_the_picture_itself(leaky: Path, honest: Path) -> None:
    def share_of_stamp(path: Path) -> float:
        top = imread(path)[:30, :, :3]
        return float((np.abs(top - np.array([0x8A, 0x1C, 0x00]) / 255) < 0.02).all(axis=2).mean())

    for path in sorted((leaky.parent / "figures").glob("*.png")):
        assert share_of_stamp(path) > 0.05, path.name
    for path in sorted((honest.parent / "figures").glob("*.png")):
        assert share_of_stamp(path) == 0, path.name


def test_an_honest_report_of_measured_people_bears_no_stamp(honest: Path) -> None:
    text = honest.read_text()
    assert "LEAKY" not in text
    assert "SIMULATED" not in text
    assert "TEST" not in text
    assert "the test set chose nothing" in text


def test_the_best_epoch_on_test_stands_only_under_a_papers_protocol(leaky: Path) -> None:
    text = leaky.read_text()
    assert "best on TEST" in text
    assert "it is no result" in text


def test_every_figure_of_the_page_exists_and_has_a_caption(honest: Path) -> None:
    pictures = [
        line.partition("](")[2].removesuffix(")")
        for line in honest.read_text().splitlines()
        if line.startswith("![")
    ]
    assert pictures
    for name in pictures:
        assert (honest.parent / name).stat().st_size > 1000
    record = json.loads((honest.parent / "report.json").read_text())["studies"][0]
    assert {f"figures/{name}.png" for name in record["figures"]} == set(pictures)
    assert all(len(caption) > 60 for caption in record["figures"].values())


def test_the_json_holds_what_the_table_shows(honest: Path) -> None:
    record = json.loads((honest.parent / "report.json").read_text())["studies"][0]
    for answer in record["answers"]:
        score = answer["by_checkpoint"]["validation"]["per_trial"]["scores"]["balanced_accuracy"]
        shown = f"| {score['value']:.3f} [{score['ci_low']:.3f}, {score['ci_high']:.3f}] |"
        assert shown in honest.read_text()


def test_the_same_study_gives_the_same_report(tmp_path: Path) -> None:
    study = make_study(rates={"full": 0.7})
    one, two = (write_report([study], tmp_path / name) for name in ("one", "two"))
    assert one.read_text() == two.read_text()
    for picture in (one.parent / "figures").iterdir():
        assert picture.read_bytes() == (two.parent / "figures" / picture.name).read_bytes()


def test_a_variant_that_answers_one_target_has_no_number_for_the_other(tmp_path: Path) -> None:
    study = make_study(rates={"full": 0.7})
    single = make_variant("single task", 0.7, seed=5)
    answers = {c: {"valence": by["valence"]} for c, by in single.answers.items()}
    study = replace(study, variants=(*study.variants, replace(single, answers=answers)))
    text = write_report([study], tmp_path).read_text()
    valence, arousal = text.split("### Arousal, per trial")
    assert "**single task**" in valence
    assert "**single task**" not in arousal.split("## Which epoch")[0]


def _text(study: Study, out: Path) -> str:
    return write_report([study], out).read_text()


def _of_people(n_subjects: int) -> Study:
    """Return a study of a full model and one that is right as often."""
    study = make_study(rates={"full": 0.7, "alike": 0.7})
    said = {
        t: (make_predictions(0.7, seed=i, n_subjects=n_subjects),) for i, t in enumerate(TARGETS)
    }
    variants = [replace(variant, answers={"validation": said}) for variant in study.variants]
    return replace(study, variants=tuple(variants))


def test_every_variant_is_told_by_what_it_is_and_what_it_changes(tmp_path: Path) -> None:
    study = make_study(rates={"full": 0.7, "w/o PKE": 0.6})
    full, blind = study.variants
    blind = replace(blind, recipe=with_changes(RECIPE, {"model.prior": False, "seeds": [0, 1]}))
    text = _text(replace(study, variants=(full, blind)), tmp_path)
    opening = text.split("## What came of it")[0]
    rows = {line.split("**")[1]: line for line in opening.splitlines() if line.startswith("| **")}
    for words in ("(`prior_dfcn`)", "32 channels", "and face", "3 s every 1.5 s", "1 to 4 windows"):
        assert words in rows["full"]
    assert "at most 30; number" in rows["full"]
    assert "and face" not in rows["w/o PKE"]
    assert "| 0, 1 |" in rows["w/o PKE"]
    assert "`model.prior: false` (not `true`)" in opening
    assert "`seeds: [0, 1]` (not `[0]`)" in opening
    assert "A fold trains on 5 subjects, chooses epoch and temperature on 2 subjects" in opening
    assert "training.max_epochs=12" in text.split("## Where it comes from")[1]


def test_the_face_is_named_only_where_answers_depend_on_it(tmp_path: Path) -> None:
    study = make_study(rates={"full": 0.7})
    assert "(used: EEG and face)" in _text(study, tmp_path / "with")
    without = replace(study.variants[0], recipe=with_changes(RECIPE, {"model.prior": False}))
    text = _text(replace(study, variants=(without,)), tmp_path / "without")
    assert "(used: EEG)" in text
    assert sees_face(RECIPE)
    assert not sees_face(with_changes(RECIPE, {"model": {"kind": "mtcnn"}}))


def test_changes_are_the_settings_that_differ_and_a_part_of_another_kind_is_one() -> None:
    new = with_changes(RECIPE, {"model": {"kind": "svm"}, "training.modality_dropout": {}})
    assert changed(new, RECIPE) == {
        "model": ("prior_dfcn", "{kind: svm}"),
        "training.modality_dropout.face": ("0.3", "not set"),
    }
    assert changed({**RECIPE, "bundle": {"name": "mine"}}, RECIPE) == {}


def test_pooled_numbers_are_told_from_means_over_subjects(honest: Path) -> None:
    text = honest.read_text()
    assert "are **pooled**" in text
    assert "Pooled over 8 subjects, 160 trials; " in text
    record = json.loads((honest.parent / "report.json").read_text())["studies"][0]
    for change in record["changes"]:
        one, other = change["mean_over_subjects"], change["mean_over_subjects_of_the_first"]
        assert one - other == pytest.approx(change["value"]["value"])
        assert f"| {one:.3f} | {other:.3f} | {one - other:+.3f} [" in text


@pytest.mark.parametrize(("n_subjects", "warned"), [(1, True), (4, True), (5, False)])
def test_intervals_over_few_subjects_come_with_a_warning(
    tmp_path: Path, n_subjects: int, warned: bool
) -> None:
    text = _text(_of_people(n_subjects), tmp_path)
    words = "Of one subject there is no interval" if n_subjects == 1 else "Do not believe intervals"
    assert text.count(words) == (7 if warned else 0)  # 4 tables, the changes, 2 figures


def test_the_least_p_of_tossed_signs_is_all_of_them_alike() -> None:
    n_subjects = 4
    sums = [abs(sum(signs)) for signs in itertools.product((-1, 1), repeat=n_subjects)]
    assert least_p(n_subjects) == sums.count(n_subjects) / len(sums)


def test_a_trial_that_several_folds_tested_is_said_to_count_so_often(tmp_path: Path) -> None:
    study = make_study(leaky=True, rates={"full": 0.7})
    (variant,) = study.variants
    said = make_predictions(0.7, seed=0)
    said = replace(said, fold=np.where(said.window % 2, "1", "2"))
    priors = {target: {"1": [0.4, 0.6], "2": [0.4, 0.6]} for target in TARGETS}
    answers = {"validation": dict.fromkeys(TARGETS, (said,))}
    variant = replace(variant, answers=answers, train_priors=priors)
    text = _text(replace(study, variants=(variant,)), tmp_path)
    assert "160 trials, each once per fold that tested it: 320 in all" in text
    assert "per trial **and fold**" in text
    assert "A trial counts once for each fold that tested it." in text


def test_counts_that_differ_name_their_target_and_variants(tmp_path: Path) -> None:
    study = make_study(rates={"full": 0.7, "linear": 0.6})
    variants = []
    for variant in study.variants:
        answers = dict(variant.answers["validation"])
        (said,) = answers["arousal"]
        answers["arousal"] = (said.rows(said.subject != "s08"),)
        variants.append(replace(variant, answers={"validation": answers}))
    text = _text(replace(study, variants=tuple(variants)), tmp_path)
    assert "- Tested: valence by full, linear: 8 subjects; 160 trials;" in text
    assert "- Tested: arousal by full, linear: 7 subjects; 140 trials;" in text


def test_what_some_variants_lack_names_them(tmp_path: Path) -> None:
    study = make_study(rates={"full": 0.7, "linear": 0.6})
    first, second = study.variants
    own, shared = "2 of 9 windows have no emotion.", "1 trial gives no window."
    first = replace(first, lacks=(own, shared))
    second = replace(second, lacks=("3 of 9 windows have no emotion.", shared))
    text = _text(replace(study, variants=(first, second)), tmp_path)
    assert f"- full: {own}\n" in text
    assert "- linear: 3 of 9 windows have no emotion.\n" in text
    assert f"- {shared}\n" in text


def test_why_the_most_frequent_class_is_below_chance_is_said_where_it_is(tmp_path: Path) -> None:
    study = make_study(rates={"full": 0.7})
    (variant,) = study.variants
    assert "Below chance is no mistake" not in _text(study, tmp_path)
    said = make_predictions(0.7, seed=0)
    shares = {name: said.label[said.subject == name].mean() for name in np.unique(said.subject)}
    mean = np.mean(list(shares.values()))
    # Who has many of a class leaves few of it to the training of the fold that tests him.
    priors = {name: [0.4, 0.6] if high < mean else [0.6, 0.4] for name, high in shares.items()}
    variant = replace(variant, train_priors=dict.fromkeys(TARGETS, priors))
    variant = replace(variant, answers={"validation": dict.fromkeys(TARGETS, (said,))})
    text = _text(replace(study, variants=(variant,)), tmp_path / "below")
    assert text.count("Below chance is no mistake: the most frequent class in training") >= 1


def test_trials_without_a_stimulus_are_not_said_to_share_one() -> None:
    design = make_study().design
    said = " ".join(describe(replace(design, stimuli="nameless")))
    assert "The trials name no stimulus" in said
    assert "a tested one may" not in said
    assert "some trials name none" in " ".join(describe(replace(design, stimuli="partly")))


def test_new_people_are_not_said_to_be_known_where_the_protocol_did_not_ask() -> None:
    design = replace(make_study().design, disjoint=("trial",))
    said = " ".join(describe(replace(design, people="new")))
    assert "about new people" in said
    assert "nothing of new people" not in said
    said = " ".join(describe(replace(design, people="partly")))
    assert "Some of the tested people were also trained or validated on" in said
    assert "nothing of new people" not in said


def test_windows_of_trials_that_are_kept_apart_are_not_said_to_leak(tmp_path: Path) -> None:
    study = make_study(rates={"full": 0.7})
    assert "trial" in study.design.disjoint
    text = _text(replace(study, design=replace(study.design, level="window")), tmp_path)
    assert "All windows of a trial have one role." in text
    assert "Windows of one trial are in several roles" not in text
    assert "no fold tests a whole trial" not in text


def test_a_map_comes_with_a_caution(leaky: Path) -> None:
    lines = leaky.read_text().splitlines()
    (caption,) = [x for x in lines if x.startswith("**Figure") and "goes with the face" in x]
    assert "not a place in the brain" in caption
    assert "what the simulator put in" in caption


def test_another_model_is_not_said_to_be_otherwise_the_same(tmp_path: Path) -> None:
    study = make_study(rates={"full": 0.7, "SVM": 0.7})
    full, svm = study.variants
    svm = replace(
        svm, recipe=with_changes(RECIPE, {"model": {"kind": "svm"}}), choices=("C is 1.",)
    )
    text = _text(replace(study, variants=(full, svm)), tmp_path)
    assert "**SVM**\n\n- C is 1." in text


def test_missing_units_are_said_in_the_opening(tmp_path: Path) -> None:
    study = make_study(rates={"full": 0.7})
    study = replace(study, variants=(replace(study.variants[0], n_missing=3),))
    text = write_report([study], tmp_path).read_text()
    assert "NOT FINISHED: 3 units are missing (full: 3)" in text.split("## What came of it")[0]


def test_what_a_split_does_not_keep_apart_is_said() -> None:
    design = make_study().design
    assert any("about new people" in line for line in describe(design))
    assert any("recognising a stimulus helps" in line for line in describe(design))
    within = replace(design, disjoint=("trial",))
    assert any("nothing of new people" in line for line in describe(within))
    everything = replace(design, disjoint=("subject", "session", "trial", "stimulus"))
    assert not any("recognising" in line for line in describe(everything))


def test_wilsons_interval_is_the_closed_form() -> None:
    row = count(make_study(rates={"full": 0.8})).answers[0].chosen.per_trial.subjects[0]
    p, n, z = row.scores["accuracy"], row.n, 1.959964
    centre, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    expected = ((centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n))
    assert wilson(row) == pytest.approx(expected, abs=1e-6)


def test_a_pipe_in_a_name_does_not_break_a_table() -> None:
    assert table(["a"], [["x|y"]], stamps=()).splitlines()[-1] == "| x\\|y |"


def test_a_model_without_epochs_is_in_no_table_of_epochs(tmp_path: Path) -> None:
    study = make_study(rates={"full": 0.7, "SVM": 0.6})
    full, svm = study.variants
    svm = replace(
        svm,
        curves=tuple(replace(c, train_nll=(), validation_nll=(), chosen=0) for c in svm.curves),
    )
    text = _text(replace(study, variants=(full, svm)), tmp_path / "both")
    epochs = text.split("## Which epoch answered")[1].split("## What each")[0]
    assert "| full |" in epochs
    assert "| SVM |" not in epochs
    assert "Without epochs, and so not here: SVM." in epochs
    assert "Validation chose the epoch and the temperature" in text
    alone = _text(replace(study, variants=(svm,)), tmp_path / "alone")
    assert "## Which epoch answered" not in alone
    assert "Validation chose the temperature; the test set chose nothing." in alone
    assert "chooses temperature on 2 subjects" in alone
