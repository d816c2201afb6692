from pathlib import Path

import pytest

from rtaffect.core.lsl_settings import VERBOSE, lsl_settings


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working directory and home without settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_lsl_is_quiet_unless_asked_otherwise() -> None:
    assert "[log]\nlevel = -3\n" in lsl_settings({})
    assert "[log]" not in lsl_settings({VERBOSE: "1"})


def test_the_labs_settings_stay_in_force(nowhere: Path) -> None:
    lab = "[lab]\nKnownPeers = {10.0.0.1}\n[log]\nlevel = 2\n[tuning]\nTimeProbeInterval = 0.1\n"
    (nowhere / "lab.cfg").write_text(lab, encoding="utf-8")
    assert lsl_settings({"LSLAPICFG": "lab.cfg"}) == lab


def test_the_first_file_of_lsls_own_places_counts(nowhere: Path) -> None:
    (nowhere / "lsl_api").mkdir()
    (nowhere / "lsl_api" / "lsl_api.cfg").write_text("[lab]\nSessionID = home\n", encoding="utf-8")
    assert "SessionID = home" in lsl_settings({"LSLAPICFG": "absent.cfg"})
    (nowhere / "lsl_api.cfg").write_text("[lab]\nSessionID = here\n", encoding="utf-8")
    assert "SessionID = here" in lsl_settings({})
    assert "SessionID = home" not in lsl_settings({})
