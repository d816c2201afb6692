"""Support vector machine on differential entropies: the classical comparator.

Cortes & Vapnik 1995, Machine Learning 20, doi:10.1007/BF00994018. scikit-learn finds the machines;
their decision functions, and the sigmoids that turn them into probabilities (Platt 1999), are
rebuilt as buffers, so that the model predicts, is saved and is exported like any other.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from offline.items import NO_CLASS
from offline.models.contract import Features, Shapes, SolvedNetwork, stack_slices
from offline.models.entropies import EntropyNetwork, EntropySettings

Floats = npt.NDArray[np.float64]
Kernel = Literal["linear", "rbf"]

_N_BLOCKS = 5


class SVMSettings(EntropySettings):
    """Every choice of the machine.

    Parameters
    ----------
    kind : "svm"
        Name in the registry.
    features : {"inside", "filter_bank"}
        See `EntropySettings`.
    kernel : {"linear", "rbf"}
        Its gamma is 1 / (number of features * their variance).
    cost : float
        C: what a sequence on the wrong side costs.
    balance_classes : bool
        Classes cost alike however many sequences they have.
    max_sequences : int
        Most training sequences that are used, drawn evenly at random: time grows with their
        square, and a bundle holds those of them that became support vectors.
    """

    kind: Literal["svm"] = "svm"
    kernel: Kernel = "rbf"
    cost: float = Field(default=1.0, gt=0)
    balance_classes: bool = True
    max_sequences: int = Field(default=4000, ge=2)

    def build(self, shapes: Shapes) -> "SVM":
        """Return a machine that knows nothing yet: every answer is as likely as any other."""
        return SVM(self, shapes)

    def choices(self) -> tuple[str, ...]:
        """Return what is taken, a sentence each, for the card."""
        return (
            f"The machine sees the differential entropy {self.source_in_words}, standardised one "
            "by one over the training set, and averaged over the windows of a sequence.",
            f"Its kernel is {self.kernel}, C is {self.cost:g}, classes are "
            f"{'balanced' if self.balance_classes else 'not balanced'}, and at most "
            f"{self.max_sequences} sequences are learned from.",
            "Of three classes or more each has a machine against the others; probabilities are "
            f"sigmoids of what machines say of sequences that they were not trained on, in "
            f"{_N_BLOCKS} unshuffled blocks of the training set.",
        )


class LinearMachine(nn.Module):
    """``w x + b``.

    Parameters
    ----------
    n_features : int
        Numbers in one x.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.normal: Tensor
        self.offset: Tensor
        self.register_buffer("normal", torch.zeros(n_features))
        self.register_buffer("offset", torch.zeros(()))

    def take(self, solved: Any) -> None:
        """Copy the numbers of a fitted `sklearn.svm.SVC` of two classes."""
        self.normal.copy_(torch.tensor(solved.coef_[0]))
        self.offset.copy_(torch.tensor(solved.intercept_[0]))

    def forward(self, x: Tensor) -> Tensor:
        """Return decisions, shape (batch,); the second class where positive."""
        return x @ self.normal + self.offset


class KernelMachine(nn.Module):
    r"""``sum_i a_i exp(-gamma |x - s_i|^2) + b``; how many s_i there are is the data's choice.

    Parameters
    ----------
    n_features : int
        Numbers in one x.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.support: Tensor
        self.weights: Tensor
        self.gamma: Tensor
        self.offset: Tensor
        self.register_buffer("support", torch.zeros(1, n_features))
        self.register_buffer("weights", torch.zeros(1))
        self.register_buffer("gamma", torch.zeros(()))
        self.register_buffer("offset", torch.zeros(()))

    def take(self, solved: Any) -> None:
        """Copy the numbers of a fitted `sklearn.svm.SVC` of two classes."""
        self.support = torch.tensor(solved.support_vectors_).to(self.support)
        self.weights = torch.tensor(solved.dual_coef_[0]).to(self.weights)
        self.gamma.copy_(torch.tensor(solved.gamma))
        self.offset.copy_(torch.tensor(solved.intercept_[0]))

    def forward(self, x: Tensor) -> Tensor:
        """Return decisions, shape (batch,); the second class where positive."""
        squares = x.square().sum(dim=1, keepdim=True) + self.support.square().sum(dim=1)
        distance = (squares - 2 * x @ self.support.T).clamp_min(0.0)  # (b, n_support)
        return (-self.gamma * distance).exp() @ self.weights + self.offset

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        for name in ("support", "weights"):
            if (found := state_dict.get(prefix + name)) is not None:
                setattr(self, name, torch.empty_like(found, device=self.offset.device))
        super()._load_from_state_dict(state_dict, prefix, *args)


class Answer(nn.Module):
    """One target's machines and sigmoids.

    Parameters
    ----------
    n_features : int
        Numbers in one x.
    n_classes : int
        Two share one machine; of more, each has its own against all others.
    kernel : {"linear", "rbf"}
        Of all machines.
    """

    def __init__(self, n_features: int, *, n_classes: int, kernel: Kernel) -> None:
        super().__init__()
        make = LinearMachine if kernel == "linear" else KernelMachine
        n_machines = 1 if n_classes == 2 else n_classes
        self.machines = nn.ModuleList([make(n_features) for _ in range(n_machines)])
        self.slope: Tensor
        self.shift: Tensor
        self.register_buffer("slope", torch.zeros(n_machines))
        self.register_buffer("shift", torch.zeros(n_machines))

    def forward(self, x: Tensor) -> Tensor:
        """Return logarithms of each class's sigmoid, shape (batch, n_classes)."""
        decisions = torch.stack([machine(x) for machine in self.machines], dim=1)
        odds = self.slope * decisions + self.shift  # (b, machines)
        if len(self.machines) == 1:
            odds = torch.cat([-odds, odds], dim=1)
        return functional.logsigmoid(odds)

    def solve(self, x: Floats, classes: npt.NDArray[np.int64], settings: SVMSettings) -> None:
        """Find machines and sigmoids.

        Parameters
        ----------
        x : ndarray, shape (n_sequences, n_features)
            Standardised.
        classes : ndarray of int, shape (n_sequences,)
            Of each sequence.
        settings : SVMSettings
            How.
        """
        numbers = [1] if len(self.machines) == 1 else range(len(self.machines))
        for i, (machine, number) in enumerate(zip(self.machines, numbers, strict=True)):
            assert isinstance(machine, LinearMachine | KernelMachine)
            slope, shift = _solve_one(machine, x, classes == number, settings)
            self.slope[i], self.shift[i] = slope, shift


class SVMHead(nn.Module):
    """The mean slice -> answers.

    Parameters
    ----------
    n_features : int
        Numbers in one slice.
    targets : mapping of str to int
        Number of classes by target.
    kernel : {"linear", "rbf"}
        Of all machines.
    """

    def __init__(self, n_features: int, *, targets: Mapping[str, int], kernel: Kernel) -> None:
        super().__init__()
        self.answers = nn.ModuleDict(
            {name: Answer(n_features, n_classes=n, kernel=kernel) for name, n in targets.items()}
        )

    def forward(self, slices: Tensor) -> dict[str, Tensor]:
        """Return logits by target, from slices of shape (batch, T, n_features)."""
        x = slices.mean(dim=1)
        return {name: answer(x) for name, answer in self.answers.items()}


class SVM(EntropyNetwork, SolvedNetwork):
    """Entropies of one window; machines on the mean of T.

    Its features are ``entropy`` (nats), by channel and band.

    Parameters
    ----------
    settings : SVMSettings
        Choices.
    shapes : Shapes
        Windows and targets.

    Raises
    ------
    ConfigError
        The windows do not suit the settings.
    """

    head: SVMHead

    def __init__(self, settings: SVMSettings, shapes: Shapes) -> None:
        super().__init__(settings, shapes)
        self._settings = settings
        self.slice_shape = (self.entropy_shape[0] * self.entropy_shape[1],)
        self.head = SVMHead(self.slice_shape[0], targets=shapes.targets, kernel=settings.kernel)

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return standardised entropies, shape (n_windows, n_channels * n_bands)."""
        scaled: Tensor = self.scale(features["entropy"])
        return scaled.flatten(1)

    def solve(
        self, batches: Iterator[tuple[Features, int]], labels: Mapping[str, Tensor], *, seed: int
    ) -> None:
        """Find each target's machines; the seed draws sequences where there are too many."""
        x = stack_slices(self, batches).double().cpu().numpy()
        picks = np.arange(len(x))
        if len(x) > self._settings.max_sequences:
            drawn = np.random.default_rng(seed).choice(
                len(x), self._settings.max_sequences, replace=False
            )
            picks = np.sort(drawn)
        for name, answer in self.head.answers.items():
            assert isinstance(answer, Answer)
            classes = labels[name].cpu().numpy()[picks]
            known = classes != NO_CLASS
            answer.solve(x[picks][known], classes[known], self._settings)


def _solve_one(
    machine: LinearMachine | KernelMachine,
    x: Floats,
    is_class: npt.NDArray[np.bool_],
    settings: SVMSettings,
) -> tuple[float, float]:
    """Give the machine its numbers, and return its sigmoid's slope and shift."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.svm import SVC

    n_yes, n_no = int(is_class.sum()), int((~is_class).sum())
    prevalence = float(np.log((n_yes + 1) / (n_no + 1)))
    if not (n_yes and n_no):  # nothing to tell apart
        return 0.0, prevalence
    variance = x.var()
    svc = SVC(
        C=settings.cost,
        kernel=settings.kernel,
        gamma=1 / (x.shape[1] * variance) if variance else 1.0,
        class_weight="balanced" if settings.balance_classes else None,
    )
    machine.take(svc.fit(x, is_class))
    n_blocks = min(_N_BLOCKS, n_yes, n_no)
    if n_blocks < 2:
        return 1.0, 0.0
    # Unshuffled: neighbours in time stay together, or else they would give each other away.
    decisions = cross_val_predict(
        svc, x, is_class, cv=StratifiedKFold(n_blocks), method="decision_function"
    )
    slope, shift = _sigmoid(decisions, is_class)
    return (slope, shift) if slope > 0 else (0.0, prevalence)


def _sigmoid(decisions: Floats, is_class: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and shift of P(class) = 1 / (1 + exp(-(slope * decision + shift))) [1]_.

    References
    ----------
    .. [1] Platt 1999, "Probabilistic outputs for support vector machines", section 2.2: the targets
       are (n_yes + 1) / (n_yes + 2) and 1 / (n_no + 2), not 1 and 0
    """
    from sklearn.linear_model import LogisticRegression

    n_yes, n_no = int(is_class.sum()), int((~is_class).sum())
    wanted = np.where(is_class, (n_yes + 1) / (n_yes + 2), 1 / (n_no + 2))
    regression = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(
        np.tile(decisions, 2)[:, None],
        np.repeat([True, False], len(decisions)),
        sample_weight=np.concatenate([wanted, 1 - wanted]),
    )
    return float(regression.coef_[0, 0]), float(regression.intercept_[0])
