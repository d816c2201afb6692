"""The networks, by the ``kind`` that a recipe names."""

from typing import Annotated, get_args

from pydantic import Field

from offline.models.asb import ASBSettings
from offline.models.cnn3d import CNN3DSettings
from offline.models.contract import NetworkSettings
from offline.models.dgcnn import DGCNNSettings
from offline.models.face_linear import FaceLinearSettings
from offline.models.mtcnn import MTCNNSettings
from offline.models.prior_dfcn import PriorDFCNSettings
from offline.models.roi_linear import RoiLinearSettings
from offline.models.shared_response import SharedResponseSettings
from offline.models.svm import SVMSettings

AnySettings = (
    PriorDFCNSettings
    | MTCNNSettings
    | DGCNNSettings
    | SVMSettings
    | ASBSettings
    | CNN3DSettings
    | SharedResponseSettings
    | RoiLinearSettings
    | FaceLinearSettings
)  # fmt: skip
"""A new network is one file here and one line above."""

ModelSettings = Annotated[AnySettings, Field(discriminator="kind")]
"""Settings of any network, as a recipe holds them."""

MODELS: dict[str, type[NetworkSettings]] = {
    settings.model_fields["kind"].default: settings for settings in get_args(AnySettings)
}
"""Every network's settings by its kind; `NetworkSettings.build` makes the network."""
