"""What an input has to tell people, each thing once."""

import ipaddress
import logging

logger = logging.getLogger(__name__)

MAX_NOTES = 100


class Notes:
    """Remarks in the order in which they were made.

    Parameters
    ----------
    *texts : str
        The first ones.
    """

    def __init__(self, *texts: str) -> None:
        self._texts: dict[str, None] = {}
        for text in texts:
            self.say(text)

    def say(self, text: str) -> None:
        """Add a remark unless it was made before; a session that babbles is cut short."""
        if text not in self._texts and len(self._texts) < MAX_NOTES:
            logger.info("%s", text)
            self._texts[text] = None

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._texts)


def exposure(host: str) -> str:
    """Return what there is to say of an address to listen on; nothing of one for this machine."""
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        is_local = False
    return "" if is_local else " Whoever reaches this address can send: the protocol has no keys."
