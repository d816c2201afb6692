"""Which ZeroMQ addresses only this machine reaches."""

import ipaddress
import re


def is_local(address: str) -> bool:
    """Return whether an address is within this machine: loopback, ipc or inproc."""
    match = re.fullmatch(r"tcp://(?P<host>.+):[^:]+", address)
    return address.startswith(("ipc://", "inproc://")) or bool(
        match and _is_loopback(match["host"])
    )


def _is_loopback(host: str) -> bool:
    try:
        return host in ("localhost", "lo") or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
