"""What all models share that see the mean of the newest frames of regions, and no more."""

from collections.abc import Mapping

from pydantic import Field
from torch import Tensor

from offline.models.contract import Features, NetworkSettings, Shapes, SolvedNetwork
from rtaffect.core.errors import ConfigError


class RecentSettings(NetworkSettings):
    """How much of a window is looked at.

    Parameters
    ----------
    mean_s : float
        Regions are averaged over the newest `mean_s` seconds of the window, which is at least one
        sample: five frames of a TR of 2 s are 10.
    """

    mean_s: float = Field(default=10.0, ge=0)

    def extraction(self) -> dict[str, object]:
        """Return what the means depend on, whoever sees them."""
        return {"kind": "recent", "mean_s": self.mean_s}


class RecentNetwork(SolvedNetwork):
    """A solved network whose feature is ``recent``: the mean of each region's newest samples.

    Parameters
    ----------
    settings : RecentSettings
        Choices.
    shapes : Shapes
        Windows and targets.

    Raises
    ------
    ConfigError
        The windows hold no regions, or are shorter than `mean_s`.
    """

    def __init__(self, settings: RecentSettings, shapes: Shapes) -> None:
        super().__init__()
        self.n_regions = shapes.roi.n_rows
        self._n_recent = max(1, round(settings.mean_s * shapes.roi.sfreq))
        if self._n_recent > (n_times := shapes.n_times("roi")):
            msg = (
                f"model.mean_s must not exceed windows.window_s, got {settings.mean_s:g} s, which "
                f"is {self._n_recent} samples of a window of {n_times}."
            )
            raise ConfigError(msg)

    def extract(self, inputs: Mapping[str, Tensor]) -> Features:
        """Return means, shape (n_windows, n_regions)."""
        return {"recent": inputs["roi"][:, :, -self._n_recent :].mean(dim=2)}
