"""A subscriber in a process of its own that can be killed or frozen."""

import sys

import zmq


def listen(address: str, topics: list[str]) -> None:
    """Receive for ever."""
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        for topic in topics:
            socket.subscribe(topic)
        socket.connect(address)
        while True:
            socket.recv_multipart()


if __name__ == "__main__":
    listen(sys.argv[1], sys.argv[2:])
