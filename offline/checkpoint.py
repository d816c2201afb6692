"""Training that was stopped, and goes on as if it had not been."""

import copy
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from offline.errors import RunError
from offline.models.contract import Network
from offline.trained import Epoch, Trained, state_of

_UNREADABLE = (
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)
"""What torch raises for a checkpoint that was cut off, or that other code saved."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A file with everything that the next epoch depends on.

    Parameters
    ----------
    path : Path
        The file; there is none before the first epoch has ended.
    network, optimiser, generator
        What training changes; their state is saved, and taken back into them.
    """

    path: Path
    network: Network
    optimiser: torch.optim.Optimizer
    generator: torch.Generator

    def save(self, done: Trained) -> None:
        """Write everything, torch's own generators too, whole or not at all."""
        state = {
            "network": state_of(self.network),
            "optimiser": copy.deepcopy(self.optimiser.state_dict()),
            "generator": self.generator.get_state(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state() if self._is_on_gpu else None,
            "best": done.best,
            "best_test": done.best_test,
            "epochs": [asdict(epoch) for epoch in done.epochs],
        }
        draft = self.path.with_suffix(".draft")
        torch.save(state, draft)
        draft.replace(self.path)

    def resume(self) -> Trained:
        """Take everything back; whatever it was saved on, it goes on where the network is.

        Raises
        ------
        RunError
            The file was cut off, or is of another unit or other code.
        """
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.generator.set_state(state["generator"])
            torch.set_rng_state(state["torch"])
            if state["cuda"] is not None and self._is_on_gpu:
                torch.cuda.set_rng_state(state["cuda"])
            return Trained(
                best=state["best"],
                last=state["network"],
                best_test=state["best_test"],
                epochs=[Epoch(**epoch) for epoch in state["epochs"]],
            )
        except _UNREADABLE as error:
            msg = (
                f"{self.path} must be what this code saved of this very unit, and cannot be taken "
                f"back ({type(error).__name__}). Remove it, and the unit starts anew."
            )
            raise RunError(msg) from error

    @property
    def _is_on_gpu(self) -> bool:
        return any(x.is_cuda for x in self.network.parameters())
