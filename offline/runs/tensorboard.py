"""Scalars for TensorBoard while a unit is trained."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from offline.errors import RunError

if TYPE_CHECKING:
    from offline.runs.work import Reporter
    from offline.trained import Epoch


def is_installed() -> bool:
    """Return whether the extra ``track`` is there."""
    return find_spec("tensorboard") is not None


class Drawing:
    """Writes each epoch's losses, then hands the epoch on.

    Parameters
    ----------
    folder : Path
        Of the unit's event files.
    reporter : Reporter
        Told of each epoch as well.

    Raises
    ------
    RunError
        TensorBoard is not installed.
    """

    def __init__(self, folder: Path, reporter: "Reporter") -> None:
        if not is_installed():
            msg = (
                "TensorBoard must be installed to be written for: pip install 'rtaffect[track]', "
                "or go without by --no-tensorboard."
            )
            raise RunError(msg)
        self._folder, self._reporter = folder, reporter
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def on_epoch(self, epoch: "Epoch") -> None:
        """Draw the losses in nats."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # An attempt that was interrupted may have drawn epochs that are trained once more.
            self._writer = SummaryWriter(str(self._folder), purge_step=epoch.number)
        self._writer.add_scalar("nll/train", epoch.train_nll, epoch.number)
        self._writer.add_scalar("nll/validation", epoch.validation_nll, epoch.number)
        self._writer.flush()
        self._reporter.on_epoch(epoch)
