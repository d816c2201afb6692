"""A peer: ezmsg-lsl's inlet and a unit that makes windows, in one process."""

import argparse
from typing import Any

import ezmsg.core as ez  # type: ignore[import-not-found]
import numpy as np
import pylsl
from ezmsg.lsl.units import (  # type: ignore[import-not-found]
    LSLInfo,
    LSLInletSettings,
    LSLInletUnit,
)
from ezmsg.util.messages.axisarray import AxisArray  # type: ignore[import-not-found]
from peer import PearsonPublisher


class WindowsSettings(ez.Settings):  # type: ignore[misc]
    """Where to bind."""

    address: str


class Windows(ez.Unit):  # type: ignore[misc]
    """Windows, Pearson, ZeroMQ."""

    SETTINGS = WindowsSettings
    INPUT = ez.InputStream(AxisArray)

    def initialize(self) -> None:
        """Bind, in the process that runs the unit."""
        self.publisher = PearsonPublisher(self.SETTINGS.address, pylsl.local_clock)

    @ez.subscriber(INPUT)  # type: ignore[untyped-decorator]
    async def on_samples(self, message: Any) -> None:
        """Take what the inlet made of a pull."""
        if message.data.size:
            self.publisher.push(np.asarray(message.data), pylsl.local_clock())


def main() -> None:
    """Receive until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source-id", default="unused", help="ezmsg-lsl selects by name")
    parser.add_argument("--address", required=True)
    args = parser.parse_args()
    inlet = LSLInletUnit(
        LSLInletSettings(
            info=LSLInfo(name="Bench EEG", type="EEG"), processing_flags=pylsl.proc_clocksync
        )
    )
    windows = Windows(WindowsSettings(address=args.address))
    ez.run(INLET=inlet, WINDOWS=windows, connections=((inlet.OUTPUT_SIGNAL, windows.INPUT),))


if __name__ == "__main__":
    main()
