"""Prior-driven dynamic functional connectivity networks (Zheng et al. 2023).

MICCAI 2023, doi:10.1007/978-3-031-43993-3_38. The encoder turns one window into one network, the
head (`STFENet`) T networks into the answer. What the paper leaves open is a setting of
`PriorDFCNSettings`.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from offline.features.connectivity import pearson
from offline.features.normalise import FaceScale, PowerForm, PowerScale, masked_mean
from offline.features.prior import CrossModalPrior, FaceTokens
from offline.features.spectral import BANDS_HZ, WelchPower
from offline.models.stfenet import Readout, STFENet


class PriorDFCNSettings(BaseModel):
    """Every choice that the model leaves open.

    Parameters
    ----------
    kind : "prior_dfcn"
        Name in the registry.
    connectivity : {"band_power", "signal"}
        What Pearson's r is taken over: the channel's five band powers, or its samples.
    power : {"log_power", "linear_power"}
        Form of the band powers; the paper's is linear, see `PowerScale`.
    power_scale : {"mean", "integral"}
        Mean density of a band or its integral.
    prior : bool
        False is the paper's "w/o PKE".
    face_tokens : {"features", "scores"}
        See `CrossModalPrior`.
    attention_width : int
        Dimension of queries and keys.
    stfenet : bool
        False is the paper's "w/o STFENet": a linear layer on the mean network.
    non_local : bool
        False is the paper's "w/o NL block".
    maps, stem_stride, pool, readout, dropout
        See `STFENet`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["prior_dfcn"] = "prior_dfcn"
    connectivity: Literal["band_power", "signal"] = "band_power"
    power: PowerForm = "log_power"
    power_scale: Literal["mean", "integral"] = "mean"
    prior: bool = True
    face_tokens: FaceTokens = "features"
    attention_width: int = Field(default=8, ge=1)
    stfenet: bool = True
    non_local: bool = True
    maps: tuple[int, ...] = Field(default=(8, 16), min_length=1)
    stem_stride: int = Field(default=2, ge=1)
    pool: tuple[int, int] = (1, 2)
    readout: Readout = "newest"
    dropout: float = Field(default=0.2, ge=0, lt=1)

    def choices(self) -> tuple[str, ...]:
        """Return what the paper leaves open and what is taken, a sentence each, for the card."""
        over = {
            "band_power": "the five band powers of each pair of channels",
            "signal": "the samples of each pair of channels",
        }
        power = {
            "log_power": "logarithms, standardised per band on the training participants (the "
            "paper's linear powers make nearly every r of pure noise exceed .97)",
            "linear_power": "linear, as in the paper",
        }
        tokens = {
            "features": "the facial features are mapped to one token a channel before attention",
            "scores": "attention runs over the facial features, and its scores are mapped to P x P",
        }
        bands = ", ".join(f"{name} {low:g}-{high:g} Hz" for name, (low, high) in BANDS_HZ.items())
        stages = ", ".join(str(n) for n in self.maps)
        return (
            f"Pearson's r is taken over {over[self.connectivity]}.",
            f"Band powers are the {self.power_scale} of Welch's density (Hann, 1 s, half "
            f"overlapping) in {bands}, as {power[self.power]}.",
            (
                f"For the P x P prior {tokens[self.face_tokens]}; queries and keys have "
                f"{self.attention_width} dimensions; without a face the prior is all ones."
            )
            if self.prior
            else "No prior is embedded (the paper's w/o PKE).",
            (
                f"STFENet has {len(self.maps)} residual blocks of {stages} maps, a stem of stride "
                f"{self.stem_stride}, max pooling {self.pool[0]} x {self.pool[1]} x "
                f"{self.pool[1]}, {'a' if self.non_local else 'no'} non-local block after each "
                f"pooling, the readout {self.readout!r} and dropout {self.dropout:g}."
            )
            if self.stfenet
            else "A linear layer on the mean network stands for STFENet (the paper's w/o STFENet).",
        )


class Observation(NamedTuple):
    """What the encoder computes of a window without any learned weight.

    Parameters
    ----------
    band_power : Tensor, shape (batch, n_channels, n_bands)
        Scaled powers.
    connectivity : Tensor, shape (batch, n_channels, n_channels)
        Pearson's r.
    face : Tensor, shape (batch, n_face)
        Scaled means of the facial features; zeros without a face.
    has_face : Tensor, shape (batch,)
        1 with a face, 0 without.
    """

    band_power: Tensor
    connectivity: Tensor
    face: Tensor
    has_face: Tensor


class Encoder(nn.Module):
    """One window -> one prior-weighted network (equations 1-6).

    Parameters
    ----------
    settings : PriorDFCNSettings
        Choices.
    n_channels : int
        EEG channels P.
    n_face : int
        Facial features; 0 makes a model that never sees a face.
    sfreq : float
        Rate of the EEG in Hz.
    """

    def __init__(
        self, settings: PriorDFCNSettings, *, n_channels: int, n_face: int, sfreq: float
    ) -> None:
        super().__init__()
        self._over_signal = settings.connectivity == "signal"
        self.welch = WelchPower(sfreq=sfreq, scale=settings.power_scale)
        self.power_scale = PowerScale(n_bands=len(BANDS_HZ), form=settings.power)
        self.face_scale = FaceScale(n_face=n_face)
        self.prior = (
            CrossModalPrior(
                n_channels=n_channels,
                n_bands=len(BANDS_HZ),
                n_face=n_face,
                width=settings.attention_width,
                face_tokens=settings.face_tokens,
            )
            if settings.prior and n_face
            else None
        )

    @torch.no_grad()
    def fit_scales(self, windows: Iterable[Mapping[str, Tensor]]) -> None:
        """Take the training set's statistics.

        Parameters
        ----------
        windows : iterable of mapping
            For each participant the arguments of `observe`, batch = every window.
        """
        powers, means = [], []
        for inputs in windows:
            powers.append(self.welch(inputs["eeg"]))
            if "face" in inputs:
                mean, has_face = masked_mean(inputs["face"], inputs["face_mask"])
                means.append(mean[has_face > 0])
        self.power_scale.fit(torch.cat(powers))
        if means:
            self.face_scale.fit(torch.cat(means))

    def observe(
        self, eeg: Tensor, face: Tensor | None = None, face_mask: Tensor | None = None
    ) -> Observation:
        """Compute what needs no learned weight.

        Parameters
        ----------
        eeg : Tensor, shape (batch, n_channels, n_times)
            Microvolts.
        face : Tensor, shape (batch, n_face, n_frames), optional
            Zeros where there is no frame; left out by a model that never sees a face.
        face_mask : Tensor, shape (batch, n_frames), optional
            1 at valid frames.
        """
        band_power = self.power_scale(self.welch(eeg))
        if face is None or face_mask is None:
            means, has_face = eeg.new_zeros(len(eeg), 0), eeg.new_zeros(len(eeg))
        else:
            means, has_face = masked_mean(face, face_mask)
        return Observation(
            band_power=band_power,
            connectivity=pearson(eeg if self._over_signal else band_power),
            face=self.face_scale(means) * has_face.unsqueeze(1),
            has_face=has_face,
        )

    def weigh(self, observation: Observation) -> Tensor:
        """Return the prior, shape (batch, n_channels, n_channels); ones without a face."""
        if self.prior is None:
            return torch.ones_like(observation.connectivity)
        prior: Tensor = self.prior(observation.band_power, observation.face, observation.has_face)
        return prior

    def forward(self, observation: Observation) -> Tensor:
        """Return the network that the head sees (equation 6)."""
        return observation.connectivity * self.weigh(observation)


class LinearHead(nn.Module):
    """The paper's "w/o STFENet": a linear layer on the mean network."""

    def __init__(self, *, n_channels: int, targets: Mapping[str, int]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict(
            {name: nn.Linear(n_channels * n_channels, n) for name, n in targets.items()}
        )

    def forward(self, slices: Tensor) -> dict[str, Tensor]:
        """Return logits by target, from slices of shape (batch, T, n_channels, n_channels)."""
        x = slices.mean(dim=1).flatten(1)
        return {name: head(x) for name, head in self.heads.items()}


class PriorDFCN(nn.Module):
    """Encoder and head.

    Parameters
    ----------
    settings : PriorDFCNSettings
        Choices.
    n_channels : int
        EEG channels P.
    n_face : int
        Facial features; 0 makes a model that never sees a face.
    sfreq : float
        Rate of the EEG in Hz.
    targets : mapping of str to int
        Number of classes by target.
    """

    def __init__(
        self,
        settings: PriorDFCNSettings,
        *,
        n_channels: int,
        n_face: int,
        sfreq: float,
        targets: Mapping[str, int],
    ) -> None:
        super().__init__()
        self.encoder = Encoder(settings, n_channels=n_channels, n_face=n_face, sfreq=sfreq)
        self.head: nn.Module
        if settings.stfenet:
            self.head = STFENet(
                n_channels=n_channels,
                targets=targets,
                maps=settings.maps,
                stem_stride=settings.stem_stride,
                pool=settings.pool,
                non_local=settings.non_local,
                readout=settings.readout,
                dropout=settings.dropout,
            )
        else:
            self.head = LinearHead(n_channels=n_channels, targets=targets)

    def forward(self, observation: Observation, n_slices: int) -> dict[str, Tensor]:
        """Return logits of sequences.

        Parameters
        ----------
        observation : Observation
            ``batch * n_slices`` windows, the slices of a sequence one after the other.
        n_slices : int
            T.

        Returns
        -------
        dict of str to Tensor, shape (batch, n_classes)
            By target.
        """
        slices = self.encoder(observation)  # (batch * T, P, P)
        logits: dict[str, Tensor] = self.head(slices.unflatten(0, (-1, n_slices)))
        return logits
