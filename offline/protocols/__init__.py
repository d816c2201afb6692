"""Who trains, who selects, who is tested: every way of sharing out that we know."""

from typing import Annotated, get_args

from pydantic import Field

from offline.protocols.contract import ProtocolSettings
from offline.protocols.fixed import FixedSubjectsSettings, FixedTrialsSettings
from offline.protocols.loso import LosoSettings
from offline.protocols.portions import PortionsSettings
from offline.protocols.stimuli import StimuliSettings
from offline.protocols.table import TableSettings
from offline.protocols.trials import TrialsSettings
from offline.protocols.windows import WindowsSettings

_Any = (
    LosoSettings
    | StimuliSettings
    | TrialsSettings
    | PortionsSettings
    | FixedSubjectsSettings
    | FixedTrialsSettings
    | TableSettings
    | WindowsSettings
)

Protocol = Annotated[_Any, Field(discriminator="kind")]
"""What a recipe says under ``protocol``."""

PROTOCOLS: dict[str, type[ProtocolSettings]] = {
    settings.model_fields["kind"].default: settings for settings in get_args(_Any)
}
"""Every protocol by its kind."""
