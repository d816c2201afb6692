import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score
from synthetic_study import make_study, make_variant

from offline.recipe import load_sweep
from offline.report.study import Study
from offline.reproduce.compare import compare, measure
from offline.reproduce.page import write_comparison
from offline.reproduce.paper import Paper
from offline.reproduce.papers import PAPERS
from offline.reproduce.sweeps import chosen_recipes, quick_changes
from rtaffect.core.errors import ConfigError


def study_of(paper: Paper, *, leaky: bool) -> Study:
    names = {v for t in paper.tables for row in t.rows for v in row.variants.values()}
    variants = tuple(
        make_variant(name, 0.7, seed=i, test_gain=0.1 if leaky else None)
        for i, name in enumerate(sorted(names))
    )
    return replace(make_study(leaky=leaky, simulated=False), variants=variants)


@pytest.mark.parametrize("paper", PAPERS.values(), ids=list(PAPERS))
def test_every_row_of_ours_has_its_variant_in_both_sweeps(paper: Paper) -> None:
    wanted = {
        (name, target)
        for table in paper.tables
        for row in table.rows
        for target, name in row.variants.items()
    }
    for path in (paper.paper_sweep, paper.honest_sweep):
        recipes = load_sweep(path).recipes()
        for name, target in wanted:
            assert target in recipes[name].targets, (path.name, name)
        assert {name for name, _ in wanted} == set(recipes)


@pytest.mark.parametrize("paper", PAPERS.values(), ids=list(PAPERS))
def test_only_the_papers_own_sweep_is_leaky(paper: Paper) -> None:
    for recipe in load_sweep(paper.honest_sweep).recipes().values():
        assert not recipe.is_leaky
        assert recipe.protocol.level == "trial"
    for recipe in load_sweep(paper.paper_sweep).recipes().values():
        assert recipe.is_leaky


def test_both_sweeps_of_a_paper_train_the_same_networks() -> None:
    for paper in PAPERS.values():
        theirs = load_sweep(paper.paper_sweep).recipes()
        honest = load_sweep(paper.honest_sweep).recipes()
        for name in theirs:
            for part in ("dataset", "model", "sequences", "targets"):
                assert getattr(theirs[name], part) == getattr(honest[name], part), (name, part)
            causal = {} if theirs[name].windows.scaling == "none" else {"normalise": "running"}
            windows = theirs[name].windows.model_copy(update=causal)
            assert windows == honest[name].windows, name


def test_ours_is_the_mean_over_folds_as_papers_count() -> None:
    variant = make_variant("full", 0.7, seed=3)
    said = variant.answers["validation"]["valence"][0]
    for per, rows in (("window", said), ("trial", said.rows(said.window == 0))):
        ours = measure(variant, "valence", checkpoint="validation", per=per)  # type: ignore[arg-type]
        folds = [rows.rows(rows.fold == fold) for fold in np.unique(rows.fold)]
        for name, score in (("accuracy", accuracy_score), ("f1_high", f1_score)):
            found = [100 * score(fold.label, fold.log_p.argmax(axis=1)) for fold in folds]
            assert ours.scores[name].mean == pytest.approx(np.mean(found))
            assert ours.scores[name].std == pytest.approx(np.std(found))
        high = [100 * f1_score(fold.label, np.ones_like(fold.label)) for fold in folds]
        assert ours.always_high["f1_high"].mean == pytest.approx(np.mean(high))
        assert ours.n_folds == ours.n_subjects == 8


def test_the_leaky_column_takes_the_best_epoch_on_test_and_the_honest_one_does_not() -> None:
    paper = PAPERS["prior-dfcn"]
    theirs, honest = study_of(paper, leaky=True), study_of(paper, leaky=False)
    rows = compare(paper, [theirs], [honest])["Table 2: ablations"]
    for row in rows:
        for target in paper.targets:
            assert row.by_paper[target].checkpoint == "best_test"
            assert row.honest[target].checkpoint == "validation"


@pytest.fixture(params=list(PAPERS))
def page(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Paper, str, dict[str, object]]:
    paper = PAPERS[request.param]
    theirs, honest = [study_of(paper, leaky=True)], [study_of(paper, leaky=False)]
    path = write_comparison(
        paper,
        compare(paper, theirs, honest),
        by_paper=theirs,
        honest=honest,
        changes=["training.max_epochs=1"],
        out=tmp_path,
    )
    return paper, path.read_text(), json.loads((tmp_path / "comparison.json").read_text())


def test_every_row_of_the_paper_is_there_with_its_numbers(
    page: tuple[Paper, str, dict[str, object]],
) -> None:
    paper, text, _ = page
    for table in paper.tables:
        for row in table.rows:
            assert f"| {row.method} |" in text
            for printed in row.printed.values():
                numbers = [x for x in dataclasses.asdict(printed).values() if x is not None]
                assert numbers
                assert all(f"{x:.2f}" in text for x in numbers)


def test_every_table_is_stamped_and_changed_settings_are_said(
    page: tuple[Paper, str, dict[str, object]],
) -> None:
    _, text, record = page
    lines = text.splitlines()
    tables = [i for i, line in enumerate(lines) if line.startswith("| :---")]
    assert tables
    for i in tables:
        assert "LEAKY" in lines[i - 1]
        assert "LEAKY PROTOCOL" in "\n".join(lines[i - 4 : i])
    assert "NOT THE PAPER'S SETTINGS" in text
    assert "`training.max_epochs=1`" in text
    assert record["changes"] == ["training.max_epochs=1"]


def test_what_we_do_not_have_is_said_not_left_silent(
    page: tuple[Paper, str, dict[str, object]],
) -> None:
    paper, text, _ = page
    lacking = [row.method for row in paper.tables[0].rows if not row.variants]
    assert (f"Not yet ours: {', '.join(lacking)}." in text) == bool(lacking)
    assert ("Not yet ours" in text) == any(
        not row.variants for table in paper.tables for row in table.rows
    )


SIMULATED = "dataset={kind: simulated, n_subjects: 9}"


def test_quick_takes_few_subjects_and_one_epoch() -> None:
    for paper in (PAPERS["mtcnn"], PAPERS["prior-dfcn"]):
        for path in (paper.paper_sweep, paper.honest_sweep):
            recipes = chosen_recipes(path, changes=[SIMULATED, *quick_changes(path, [SIMULATED])])
            for recipe in recipes.values():
                assert len(recipe.subjects) == 3
                assert recipe.training.max_epochs == 1


def test_an_unknown_variant_is_refused_with_the_known_ones() -> None:
    path = PAPERS["mtcnn"].honest_sweep
    with pytest.raises(ConfigError, match=r"'PSD only' 'DE only'.*got 'psd only'"):
        chosen_recipes(path, changes=[], variants=["psd only"])
    assert list(chosen_recipes(path, changes=[], variants=["PSD only"])) == ["PSD only"]
