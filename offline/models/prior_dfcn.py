"""Prior-driven dynamic functional connectivity networks (Zheng et al. 2023).

MICCAI 2023, doi:10.1007/978-3-031-43993-3_38. The encoder turns one window into one network, the
head (`STFENet`) T networks into the answer. What the paper leaves open is a setting of
`PriorDFCNSettings`.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from offline.features.connectivity import pearson
from offline.features.normalise import FaceScale, PowerForm, PowerScale, masked_mean
from offline.features.prior import CrossModalPrior, FaceTokens
from offline.features.spectral import BANDS_HZ, WelchPower
from offline.models.contract import Features, Network, NetworkSettings, Shapes
from offline.models.stfenet import Readout, STFENet


class PriorDFCNSettings(NetworkSettings):
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

    def build(self, shapes: Shapes) -> "PriorDFCN":
        """Return the network with fresh weights."""
        return PriorDFCN(self, shapes)

    def extraction(self) -> dict[str, object]:
        """Return what the band powers depend on; with `connectivity` over samples that, too."""
        return {
            "kind": self.kind,
            "power_scale": self.power_scale,
            "over_signal": self.connectivity == "signal",
        }

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


class PriorDFCN(Network):
    """One window -> one prior-weighted network (equations 1-6); T of them -> the answer.

    Its features are ``band_power`` (uV^2/Hz, or uV^2), over samples also ``connectivity``, and,
    where windows hold a face, ``face`` (means over the valid frames) and ``has_face``.

    Parameters
    ----------
    settings : PriorDFCNSettings
        Choices.
    shapes : Shapes
        Channels, rate, targets; windows without a face make a model that never sees one.
    """

    def __init__(self, settings: PriorDFCNSettings, shapes: Shapes) -> None:
        super().__init__()
        n_channels, n_face = shapes.n_channels, shapes.n_face
        self.slice_shape = (n_channels, n_channels)
        self._over_signal = settings.connectivity == "signal"
        self.welch = WelchPower(sfreq=shapes.sfreq, scale=settings.power_scale)
        self.power_scale = PowerScale(n_bands=len(BANDS_HZ), form=settings.power)
        self.face_scale = FaceScale(n_face=n_face) if n_face else None
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
        self.head = (
            STFENet(
                n_channels=n_channels,
                targets=shapes.targets,
                maps=settings.maps,
                stem_stride=settings.stem_stride,
                pool=settings.pool,
                non_local=settings.non_local,
                readout=settings.readout,
                dropout=settings.dropout,
            )
            if settings.stfenet
            else LinearHead(n_channels=n_channels, targets=shapes.targets)
        )

    def extract(self, inputs: Mapping[str, Tensor]) -> Features:
        """Return band powers, and the means of the facial features over valid frames."""
        features = {"band_power": self.welch(inputs["eeg"])}
        if self._over_signal:
            features["connectivity"] = pearson(inputs["eeg"])
        if self.face_scale is not None:
            face, has_face = masked_mean(inputs["face"], inputs["face_mask"])
            features |= {"face": face, "has_face": has_face}
        return features

    @torch.no_grad()
    def fit_scales(self, features: Mapping[str, Tensor]) -> None:
        """Standardise band powers and facial features by the training set's statistics."""
        self.power_scale.fit(features["band_power"])
        if self.face_scale is not None and (seen := features["has_face"] > 0).any():
            self.face_scale.fit(features["face"][seen])

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return the network that the head sees (equation 6)."""
        seen = self.look(features)
        return seen["connectivity"] * seen["prior"]

    def look(self, features: Mapping[str, Tensor]) -> Features:
        """Return scaled band powers, Pearson's r and the prior (ones without a face)."""
        band_power = self.power_scale(features["band_power"])
        r = features["connectivity"] if self._over_signal else pearson(band_power)
        prior = torch.ones_like(r)
        if self.prior is not None and self.face_scale is not None:
            has_face = features["has_face"]
            face = self.face_scale(features["face"]) * has_face.unsqueeze(1)
            prior = self.prior(band_power, face, has_face)
        return {"band_power": band_power, "connectivity": r, "prior": prior}

    def without(self, modality: str, features: Features, rows: Tensor) -> Features:
        """Return the features as if there had been no face in `rows`."""
        if modality != "face" or self.face_scale is None:
            return features
        return features | {"has_face": features["has_face"] * (~rows).to(torch.float32)}
