"""Prior knowledge embedding: which channels the face goes with (Zheng et al. 2023, eqs 2-6)."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

FaceTokens = Literal["features", "scores"]


class CrossModalPrior(nn.Module):
    r"""Cross-attention between EEG channels and facial features, both ways.

    Parameters
    ----------
    n_channels : int
        EEG channels P.
    n_bands : int
        Features of one EEG channel.
    n_face : int
        Facial features F.
    width : int
        Dimension of queries and keys.
    face_tokens : {"features", "scores"}
        The paper multiplies a P x P network with a correlation of P channels and F features, and
        does not say how that becomes P x P. ``"features"`` maps the F features to P tokens by a
        learned linear map before attention; ``"scores"`` attends over the F features as they are
        and maps the P x F scores to P x P.

    Notes
    -----
    .. math::
        \mathrm{Cor} = \mathrm{softplus}\left(
            \frac{Q_E K_F^T}{\sqrt{d_1}} + \frac{Q_F K_E^T}{\sqrt{d_2}}\right)

    With ``"scores"`` the second term is transposed, because its rows are facial features.
    """

    def __init__(
        self,
        *,
        n_channels: int,
        n_bands: int,
        n_face: int,
        width: int = 8,
        face_tokens: FaceTokens = "features",
    ) -> None:
        super().__init__()
        self._face_tokens = face_tokens
        self._n_channels = n_channels
        self._n_bands = n_bands
        self._root = math.sqrt(width)
        face_width = n_bands if face_tokens == "features" else 1
        mapped = n_channels * n_bands if face_tokens == "features" else n_channels
        self.to_tokens = nn.Linear(n_face, mapped)
        self.query_eeg = nn.Linear(n_bands, width, bias=False)
        self.key_eeg = nn.Linear(n_bands, width, bias=False)
        self.query_face = nn.Linear(face_width, width, bias=False)
        self.key_face = nn.Linear(face_width, width, bias=False)

    def forward(self, eeg: Tensor, face: Tensor, has_face: Tensor) -> Tensor:
        """Return the prior.

        Parameters
        ----------
        eeg : Tensor, shape (batch, n_channels, n_bands)
            Band powers, standardised.
        face : Tensor, shape (batch, n_face)
            Facial features of the window, standardised.
        has_face : Tensor, shape (batch,)
            1 where there was a face, 0 where not.

        Returns
        -------
        Tensor, shape (batch, n_channels, n_channels)
            Not negative; all ones without a face, which leaves the network as it is.
        """
        if self._face_tokens == "features":
            tokens = self.to_tokens(face).reshape(-1, self._n_channels, self._n_bands)  # (b, P, D)
        else:
            tokens = face.unsqueeze(2)  # (b, F, 1)
        eeg_to_face = self.query_eeg(eeg) @ self.key_face(tokens).transpose(1, 2) / self._root
        face_to_eeg = self.query_face(tokens) @ self.key_eeg(eeg).transpose(1, 2) / self._root
        if self._face_tokens == "features":
            scores = eeg_to_face + face_to_eeg  # (b, P, P)
        else:
            scores = self.to_tokens(eeg_to_face + face_to_eeg.transpose(1, 2))  # (b, P, F -> P)
        present = has_face[:, None, None] > 0
        return torch.where(present, functional.softplus(scores), 1.0)
