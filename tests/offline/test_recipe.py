import re
from pathlib import Path

import pytest

from offline.recipe import load_recipe, load_sweep
from rtaffect.core.errors import ConfigError
from rtaffect.core.montages import EEG_15, EEG_32

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
        ("name.first=a", "name"),
    ],
)
def test_what_is_wrong_with_a_change_is_named(tmp_path: Path, change: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        load_recipe(_write(tmp_path, MINIMAL), [change])


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
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read"):
        load_recipe(tmp_path / "none.yaml")
