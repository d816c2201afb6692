"""``rtaffect keys``: who may subscribe from another machine."""

from pathlib import Path
from typing import Annotated

import typer


def keys(
    name: Annotated[str, typer.Argument(help="Whose keys: a machine or a person.")],
    folder: Annotated[Path, typer.Option(help="Where to write them.")] = Path("keys"),
) -> None:
    """Make a pair of keys, for estimates that leave this machine.

    Example: rtaffect keys publisher, and on the other machine: rtaffect keys monitor

    Give the .key file away, keep the .key_secret file. In the session file of the publisher:

      publish: {address: "tcp://0.0.0.0:5577", curve: {secret: keys/publisher.key_secret}}

    The other machine: rtaffect listen --address tcp://HOST:5577 --server-key publisher.key
    """
    from rtaffect.publish.keys import make_keys

    public, secret = make_keys(folder, name)
    typer.echo(f"{public}         give this one away")
    typer.echo(f"{secret}  keep this one, it is readable by you alone")
