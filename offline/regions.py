"""Sets of regions that recipes name."""

from collections.abc import Mapping
from types import MappingProxyType

_SEED_LIST = tuple(
    """
    A8m_R A9m_L A9/46d_L IFJ_R A12/47o_L A12/47o_R A6cdl_L A6cdl_R aSTS_L aSTS_R A37mv_L A37mv_R
    A37lv_L A37lv_R A39c_L A39c_R A40c_L A40c_R A39rv_L A39rv_R dmPOS_L dmPOS_R A2_L A2_R
    A24cd_L A24cd_R rCunG_L rCunG_R rLinG_L rLinG_R OPC_L OPC_R
    """.split()
)

REGION_SETS: Mapping[str, tuple[str, ...]] = MappingProxyType({"seed_list": _SEED_LIST})
"""By name.

``"seed_list"`` are the 32 regions of the Brainnetome atlas that the code behind ASB calls
"emotion-related brain regions" (EBR; zero-based indices 1, 10, 14, 17, 42, 43, 54, 55, 86, 87,
104-107, 134, 135, 140-143, 150, 151, 158, 159, 182, 183, 190, 191, 194, 195, 202 and 203). It is
that code's list and no finding: it has no amygdala, no insula and no hippocampus.
"""
