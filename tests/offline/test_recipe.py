import re
from pathlib import Path

import pytest

from offline.recipe import load_recipe, load_sweep
from rtaffect.core.atlas import brainnetome
from rtaffect.core.errors import ConfigError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_15, EEG_32
from rtaffect.core.spec import FrameSpec

CONFIGS = Path(__file__).parents[2] / "configs"

MINIMAL = """
name: tiny
dataset: {kind: simulated, n_subjects: 3}
windows: {montage: EEG_15, face: false}
model: {kind: prior_dfcn, prior: false}
protocol: {kind: loso, n_validation: 1}
bundle: {name: a, title: A, summary: S}
"""

SWEEP = """
base:
  name: tiny
  dataset: {kind: simulated, n_subjects: 3}
  windows: {face: true}
  model: {kind: prior_dfcn}
  protocol: {kind: loso, n_validation: 1}
variants:
  w/o PKE: {model.prior: false}
  slow: {training.learning_rate: 1.0e-4, training.decay: {factor: 0.1}}
"""


def _write(folder: Path, text: str) -> Path:
    (folder / "recipe.yaml").write_text(text)
    return folder / "recipe.yaml"


@pytest.mark.parametrize("path", sorted((CONFIGS / "train").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_recipe_that_ships_is_valid(path: Path) -> None:
    assert load_recipe(path).name


@pytest.mark.parametrize("path", sorted((CONFIGS / "sweeps").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_sweep_that_ships_is_valid(path: Path) -> None:
    assert len(load_sweep(path).recipes()) > 1


def test_a_recipe_without_a_face_asks_for_none(tmp_path: Path) -> None:
    spec = load_recipe(_write(tmp_path, MINIMAL)).windows.spec()
    assert list(spec.modalities) == ["eeg"]
    assert spec.modalities["eeg"].ch_names == EEG_15


def test_a_face_is_optional_to_the_model_that_takes_it(tmp_path: Path) -> None:
    text = MINIMAL.replace("EEG_15, face: false", "EEG_32, face: true")
    modalities = load_recipe(_write(tmp_path, text)).windows.spec().modalities
    assert modalities["eeg"].ch_names == EEG_32
    assert modalities["face"].optional
    assert not modalities["eeg"].optional


FACE_ALONE = MINIMAL.replace("{montage: EEG_15, face: false}", "{kind: face}").replace(
    "{kind: prior_dfcn, prior: false}", "{kind: face_linear}"
)


def test_a_face_alone_is_needed_and_closes_on_the_grid(tmp_path: Path) -> None:
    text = FACE_ALONE.replace(
        "{kind: face}",
        "{kind: face, window_s: 2, face_extractor: rtaffect, face_normalise: running}",
    )
    recipe = load_recipe(_write(tmp_path, text))
    spec = recipe.windows.spec()
    (face,) = spec.modalities.values()
    assert (spec.closes, spec.window_s, spec.hop_s) == ("grid", 2.0, 0.25)
    assert not face.optional
    assert face == FrameSpec(
        ch_names=FACE_FEATURES, extractor="rtaffect", normalise="running", optional=False
    )
    assert recipe.windows.model_dump()["kind"] == "face"  # or it would be read as EEG again


def test_a_face_alone_cannot_be_dropped_out(tmp_path: Path) -> None:
    text = FACE_ALONE.replace("model:", "training: {modality_dropout: {face: 0.1}}\nmodel:")
    with pytest.raises(ConfigError, match="optional modalities"):
        load_recipe(_write(tmp_path, text))


def test_the_command_line_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = _write(tmp_path, MINIMAL)
    plain = load_recipe(path)
    changed = load_recipe(path, ["training.max_epochs=3", "targets=[valence]", "seeds=[0, 1]"])
    assert changed.training.max_epochs == 3
    assert changed.targets == ("valence",)
    assert changed.seeds == (0, 1)
    fields = ("dataset", "windows", "model", "protocol", "bundle", "sequences")
    assert all(getattr(plain, name) == getattr(changed, name) for name in fields)


def test_a_variant_is_the_base_with_its_changes(tmp_path: Path) -> None:
    recipes = load_sweep(_write(tmp_path, SWEEP), ["training.max_epochs=2"]).recipes()
    assert list(recipes) == ["full", "w/o PKE", "slow"]
    assert recipes["full"].model.prior
    assert not recipes["w/o PKE"].model.prior
    assert recipes["slow"].training.decay.factor == 0.1
    assert recipes["slow"].training.decay.patience == 5
    assert {recipe.training.max_epochs for recipe in recipes.values()} == {2}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("n_subjects: 3", "n_subjetcs: 3", "n_subjetcs"),
        ("n_subjects: 3", "n_subjects: 0", "n_subjects"),
        ("n_subjects: 3", "n_subjects: 1001", "never trained on"),
        ("n_subjects: 3", "n_subjects: 1, first_seed: 1000", "never trained on"),
        ("kind: prior_dfcn, prior: false", "kind: vgg", "model"),
        ("kind: loso", "kind: random", "protocol"),
        ("prior: false", "prior: true", "model.prior needs a face"),
        ("EEG_15", "EEG_64", "windows.montage"),
        ("name: a", "name: ../a", "bundle.name"),
        ("model:", "sequences: {t_min: 5, t_max: 2}\nmodel:", "t_min must not exceed t_max"),
        ("model:", "training: {modality_dropout: {face: 0.1}}\nmodel:", "optional modalities"),
        ("{kind: loso, n_validation: 1}", "{kind: windows}\nsequences: {t_max: 2}", "t_max = 1"),
        ("tiny", "!!python/object/apply:os.getcwd []", "is refused; plain values need none"),
        ("bundle:", "bundle: [", "not valid YAML"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_named(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)) as caught:
        load_recipe(_write(tmp_path, MINIMAL.replace(old, new)))
    assert "recipe.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("training.max_epoch=3", "Did you mean max_epochs"),
        ("training.max_epochs=many", "training.max_epochs must be a whole number"),
        ("training.max_epochs", "must look like"),
        ("training.max_epochs=[", "must be YAML"),
        ("training.max_epochs=3.5", "must be a whole number, got the number 3.5"),
        ("training.paper_protocol=nil", "must be false, 'nll' or 'accuracy', got 'nil'"),
        ("name.first=a", "name"),
        ("model.kind=mtcn", "model.kind must be one of prior_dfcn, mtcnn, dgcnn, svm,"),
        ("model.kind=mtcn", "Did you mean mtcnn?"),
        ("model={prior: false}", "model.kind is missing; it must be one of prior_dfcn, mtcnn"),
        ("model={kind:svm}", "A space must follow each colon: model: {kind: prior_dfcn}"),
        ("protocol=3", "protocol must hold keys and values, got the number 3"),
        ("protocol.folds=3", "not a known key of kind loso. Valid here: kind, n_validation."),
        ("windows.montage=EEG_64", "windows.montage: must be EEG_32, EEG_15 or a list of"),
        ("model.kind=svm", "leaves in place what svm does not have (model.connectivity and 12"),
        ("model.kind=svm", "'model={kind: svm}'"),
        ("model.prior=true", "model.prior needs a face"),
    ],
)
def test_what_is_wrong_with_a_change_is_named(tmp_path: Path, change: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)) as caught:
        load_recipe(_write(tmp_path, MINIMAL), [change])
    assert "the file" not in str(caught.value)
    assert not any(word in str(caught.value) for word in (" tag", "discriminator", "tuple"))


def test_a_kind_that_is_given_whole_takes_its_own_defaults(tmp_path: Path) -> None:
    changes = ["model={kind: svm}", "model.cost=3"]
    model = load_recipe(_write(tmp_path, MINIMAL), changes).model
    assert (model.kind, model.cost) == ("svm", 3.0)


def test_recipes_sweeps_and_settings_of_data_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a sweep .*`rtaffect-offline sweep` takes it"):
        load_recipe(_write(tmp_path, SWEEP))
    with pytest.raises(ConfigError, match="is a recipe: `rtaffect-offline train` takes it"):
        load_sweep(_write(tmp_path, MINIMAL))
    for load in (load_recipe, load_sweep):
        with pytest.raises(ConfigError, match="data set alone"):
            load(_write(tmp_path, "kind: own\npath: x\n"))
        with pytest.raises(ConfigError, match="is a folder"):
            load(tmp_path)


def test_what_is_wrong_with_a_variant_is_named(tmp_path: Path) -> None:
    text = SWEEP.replace("model.prior", "model.priors")
    with pytest.raises(ConfigError, match=re.escape("variants.w/o PKE")):
        load_sweep(_write(tmp_path, text)).recipes()
    with pytest.raises(ConfigError, match="base as it stands"):
        load_sweep(_write(tmp_path, SWEEP.replace("slow:", "full:"))).recipes()


@pytest.mark.parametrize("text", ["", "[]", "just words"])
def test_a_recipe_must_be_a_mapping(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="must hold keys and values in YAML"):
        load_recipe(_write(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no recipe .*none\.yaml"):
        load_recipe(tmp_path / "none.yaml")


ROI = """
name: tiny
dataset: {kind: simulated_scan, n_subjects: 3, n_regions: 7}
windows: {kind: roi, window_s: 12, lag_s: 5}
model: {kind: roi_linear}
protocol: {kind: loso, n_validation: 1}
"""


def test_windows_of_fmri_have_the_regions_of_the_data_set_or_those_that_are_named(
    tmp_path: Path,
) -> None:
    path = _write(tmp_path, ROI)
    recipe = load_recipe(path)
    spec = recipe.window_spec()
    assert spec.closes == "roi"
    assert spec.modalities["roi"].ch_names == recipe.dataset.open().ch_names
    assert (spec.lag_s, spec.window_s, spec.hop_s) == (5.0, 12.0, 2.0)
    assert spec.modalities["roi"].take == "frames"
    named = load_recipe(path, ["windows.regions=[region-002, region-001]", "windows.sfreq=1"])
    roi = named.window_spec().modalities["roi"]
    assert (roi.ch_names, roi.take, roi.sfreq) == (("region-002", "region-001"), "seconds", 1.0)


def test_the_seed_list_is_that_of_the_atlas_by_its_numbers(tmp_path: Path) -> None:
    chosen = load_recipe(_write(tmp_path, ROI), ["windows.regions=seed_list"])
    names = chosen.window_spec().modalities["roi"].ch_names
    numbers = [1, 10, 14, 17, 42, 43, 54, 55, 86, 87, *range(104, 108), 134, 135, *range(140, 144)]
    numbers += [150, 151, 158, 159, 182, 183, 190, 191, 194, 195, 202, 203]
    assert names == tuple(brainnetome().names[number] for number in numbers)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("windows.kind=eye", "windows.kind must be one of eeg, face, roi, volume; got 'eye'"),
        ("windows.regions=amygdala", "must be dataset, seed_list or a list of names"),
        ("windows.regions=[a, a]", "names that differ"),
        ("sequences.t_max=2", "sequences.t_max must be 1"),
        ("windows.montage=EEG_32", "windows.montage is not a known key of kind roi"),
        ("windows={kind: volume, shape: [4, 0, 4]}", "of at least 1"),
    ],
)
def test_what_is_wrong_with_windows_of_fmri_is_named(
    tmp_path: Path, change: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        load_recipe(_write(tmp_path, ROI), [change])


def test_windows_without_a_kind_are_written_as_before_there_were_kinds(tmp_path: Path) -> None:
    recipe = load_recipe(_write(tmp_path, MINIMAL))
    assert "kind" not in recipe.model_dump(mode="json")["windows"]
    assert load_recipe(_write(tmp_path, ROI)).model_dump(mode="json")["windows"]["kind"] == "roi"
