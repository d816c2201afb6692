import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from sklearn.metrics import balanced_accuracy_score
from synthetic_study import TARGETS, make_maps, make_study, make_variant

from offline.report.numbers import count, wilson
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
