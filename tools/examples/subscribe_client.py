"""Print what a session does, with rtaffect's own subscriber.

python subscribe_client.py [tcp://127.0.0.1:5577] [how many estimates]
"""

import sys

from rtaffect import wire
from rtaffect.client import Subscriber

address = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5577"
left = int(sys.argv[2]) if len(sys.argv) > 2 else -1

with Subscriber(address) as subscriber:
    while left:
        message = subscriber.receive(timeout_s=10)
        if isinstance(message, wire.SessionMessage):
            print("decoders:", ", ".join(message.session.decoders), flush=True)
        elif isinstance(message, wire.EventMessage):
            print("event:", message.event.kind, message.event.modality, message.event.text)
        elif isinstance(message, wire.EstimateMessage):
            estimate = message.estimate
            for name, target in estimate.targets.items():
                if target.edges:  # an ordered target; categories have probabilities alone
                    print(estimate.decoder, name, target.expected, "+-", target.spread, flush=True)
            if not estimate.targets:
                print(estimate.decoder, "no answer:", estimate.flags, flush=True)
            left -= 1
    print("dropped:", sum(subscriber.n_dropped.values()))
