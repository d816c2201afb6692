"""``rtaffect listen``: what a subscriber gets, in the terminal."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtaffect.core.errors import WireError

if TYPE_CHECKING:
    from rtaffect.client import Subscriber
    from rtaffect.wire import Message

REFRESH_HZ = 10


def listen(
    address: Annotated[str, typer.Option(help="Where the publisher is.")] = "tcp://127.0.0.1:5577",
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One JSON message a line, of every topic; see docs/wire.md."),
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many estimates.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop after one estimate.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.1, help="End when nothing comes for so long, in seconds."),
    ] = None,
    server_key: Annotated[
        Path | None, typer.Option(help="The publisher's .key file, where it asks for keys.")
    ] = None,
    own_key: Annotated[
        Path | None,
        typer.Option(help="Your own .key_secret file, where only known ones may listen."),
    ] = None,
) -> None:
    """Show estimates as any other application receives them.

    Example: rtaffect listen --json --count 4 | jq '.estimate // empty'

    On a terminal it is a live view; elsewhere it is a line an estimate.

    Ctrl-C ends it. --timeout does when a session has ended: exit code 0,
    or 1 where no estimate came, or fewer than --count or --once ask for.
    """
    from rtaffect.client import CurveKeys, Subscriber

    if own_key is not None and server_key is None:
        msg = "--own-key needs --server-key: the publisher's .key file says whom you hear."
        raise typer.BadParameter(msg)
    curve = CurveKeys.read(server_key, own_key) if server_key else None
    with Subscriber(address, curve=curve) as subscriber:
        limit = 1 if once else count
        try:
            if not as_json and sys.stdout.isatty():
                _watch(subscriber, limit=limit, timeout_s=timeout)
            else:
                _print_lines(subscriber, limit=limit, timeout_s=timeout, as_json=as_json)
        except KeyboardInterrupt:  # the way to end it
            if dropped := sum(subscriber.n_dropped.values()):
                typer.echo(f"{dropped} messages were published but did not arrive here.", err=True)


def _messages(
    subscriber: "Subscriber", *, limit: int | None, timeout_s: float | None, poll_s: float
) -> "Iterator[Message | None]":
    """Yield messages until so many estimates came, and None when none came for `poll_s`."""
    from rtaffect.wire import EstimateMessage

    silent_s, n_messages, n_estimates = 0.0, 0, 0
    while limit is None or n_estimates < limit:
        try:
            message = subscriber.receive(timeout_s=poll_s)
        except TimeoutError:
            silent_s += poll_s
            if timeout_s is not None and silent_s >= timeout_s:
                said = _silence(subscriber.address, timeout_s, n_messages, n_estimates, limit)
                if limit is not None or not n_estimates:
                    raise WireError(said) from None
                typer.echo(said, err=True)
                return
            yield None
        except WireError as error:
            typer.echo(f"A message was left out: {error}", err=True)
        else:
            silent_s = 0.0
            n_messages += 1
            n_estimates += isinstance(message, EstimateMessage)
            yield message


def _silence(
    address: str, timeout_s: float, n_messages: int, n_estimates: int, limit: int | None
) -> str:
    """Say that nothing comes any more, or that nothing ever came."""
    if not n_messages:
        return (
            f"Nothing came from {address} within {timeout_s:g} s. Is `rtaffect live` or `rtaffect "
            "replay --publish` running, is this its address, and are the keys (if any) the right "
            "ones?"
        )
    asked = "" if limit is None else f" of {limit} asked for"
    return (
        f"Nothing more came from {address} for {timeout_s:g} s (before: messages {n_messages}, "
        f"estimates {n_estimates}{asked}): the session seems to have ended."
    )


def _print_lines(
    subscriber: "Subscriber", *, limit: int | None, timeout_s: float | None, as_json: bool
) -> None:
    from rtaffect.cli.view import leaky_decoders, one_line
    from rtaffect.wire import EstimateMessage, SessionMessage, plain

    poll_s = min(1.0, timeout_s or 1.0)
    for message in _messages(subscriber, limit=limit, timeout_s=timeout_s, poll_s=poll_s):
        if message is not None and as_json:
            typer.echo(json.dumps(plain(message), separators=(",", ":")))
        elif isinstance(message, EstimateMessage):
            typer.echo(one_line(message))
        elif isinstance(message, SessionMessage):
            for line in leaky_decoders(message.session):
                typer.echo(f"Note: {line}", err=True)
        sys.stdout.flush()


def _watch(subscriber: "Subscriber", *, limit: int | None, timeout_s: float | None) -> None:
    from rich.console import Console
    from rich.live import Live

    from rtaffect.cli.view import View

    view = View(subscriber.address)
    poll_s = 1 / REFRESH_HZ
    with Live(view, console=Console(highlight=False), refresh_per_second=REFRESH_HZ):
        for message in _messages(subscriber, limit=limit, timeout_s=timeout_s, poll_s=poll_s):
            view.take(message)
            view.n_dropped = sum(subscriber.n_dropped.values())
