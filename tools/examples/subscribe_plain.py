"""Print valence and arousal with nothing but pyzmq: the whole protocol in a few lines.

python subscribe_plain.py [tcp://127.0.0.1:5577] [how many estimates]
"""

import json
import sys

import zmq

address = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5577"
left = int(sys.argv[2]) if len(sys.argv) > 2 else -1

context = zmq.Context()
socket = context.socket(zmq.SUB)
socket.subscribe("estimate/")
socket.connect(address)

last_seq: dict[tuple[str, str], int] = {}
while left:
    topic, header = socket.recv_multipart()
    message = json.loads(header)
    key = message["session_id"], message["topic"]
    if message["seq"] <= last_seq.get(key, -1):
        continue  # a last value that was heard live already
    last_seq[key] = message["seq"]
    estimate = message["estimate"]
    for name, target in estimate["targets"].items():
        if target["edges"]:  # an ordered target; categories have probabilities alone
            print(estimate["decoder"], name, target["expected"], "+-", target["spread"], flush=True)
    if not estimate["targets"]:
        print(estimate["decoder"], "no answer:", estimate["flags"], flush=True)
    left -= 1

socket.close()
context.term()
