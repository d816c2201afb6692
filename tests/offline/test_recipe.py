import re
from pathlib import Path

import pytest

from offline.recipe import load_recipe
from rtaffect.core.errors import ConfigError
from rtaffect.core.montages import EEG_15, EEG_32

RECIPES = sorted((Path(__file__).parents[2] / "configs" / "train").glob("*.yaml"))

MINIMAL = """
dataset: {kind: simulated, n_train: 1, n_validation: 1, n_test: 1}
bundles:
  - {name: a, title: A, summary: S, montage: EEG_15, face: false, model: {kind: prior_dfcn}}
"""


def _write(folder: Path, text: str) -> Path:
    (folder / "recipe.yaml").write_text(text)
    return folder / "recipe.yaml"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_that_ships_is_valid(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.bundles


def test_a_bundle_without_a_face_asks_for_none(tmp_path: Path) -> None:
    windows = load_recipe(_write(tmp_path, MINIMAL)).bundles[0].windows()
    assert list(windows.modalities) == ["eeg"]
    assert windows.modalities["eeg"].ch_names == EEG_15


def test_a_face_is_optional_to_the_bundle_that_takes_it(tmp_path: Path) -> None:
    text = MINIMAL.replace("EEG_15, face: false", "EEG_32, face: true")
    modalities = load_recipe(_write(tmp_path, text)).bundles[0].windows().modalities
    assert modalities["eeg"].ch_names == EEG_32
    assert modalities["face"].optional
    assert not modalities["eeg"].optional


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("n_train: 1", "n_trian: 1", "dataset.n_trian"),
        ("n_train: 1", "n_train: 0", "dataset.n_train"),
        ("n_train: 1", "n_train: 999", "never trained on"),
        ("n_train: 1", "n_train: 1, first_seed: 1000", "never trained on"),
        ("kind: prior_dfcn", "kind: mtcnn", "bundles[0].model.kind must be 'prior_dfcn'"),
        ("EEG_15", "EEG_64", "bundles[0].montage must be 'EEG_32' or 'EEG_15'"),
        ("name: a", "name: ../a", "bundles[0].name"),
        ("title: A", "title: A, t_min: 5", "t_min must not exceed t_max"),
        (
            "title: A",
            "title: !!python/object/apply:os.getcwd []",
            "is refused; plain values need none",
        ),
        ("bundles:", "bundles: [", "not valid YAML"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_named(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)) as caught:
        load_recipe(_write(tmp_path, MINIMAL.replace(old, new)))
    assert "recipe.yaml" in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "just words"])
def test_a_recipe_must_be_a_mapping(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="must hold keys and values in YAML"):
        load_recipe(_write(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read"):
        load_recipe(tmp_path / "none.yaml")
