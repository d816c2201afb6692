"""The networks, by the ``kind`` that a recipe names."""

from offline.models.prior_dfcn import PriorDFCN, PriorDFCNSettings

MODELS = {"prior_dfcn": PriorDFCN}
"""A new network is one file here, one line in this table and one in `ModelSettings`."""

ModelSettings = PriorDFCNSettings
"""Settings of any network; a union told apart by ``kind`` once there is a second."""
