// Print valence and arousal in Node.js:
//
//     npm ci
//     node subscribe.mjs [tcp://127.0.0.1:5577] [how many estimates]

import { Subscriber } from "zeromq";

const address = process.argv[2] ?? "tcp://127.0.0.1:5577";
let left = Number(process.argv[3] ?? -1);

const socket = new Subscriber();
socket.subscribe("estimate/");
socket.connect(address);

const lastSeq = new Map();
for await (const [, header] of socket) {
  const message = JSON.parse(header.toString());
  const key = `${message.session_id} ${message.topic}`;
  if (message.seq <= (lastSeq.get(key) ?? -1)) continue; // a last value that was heard live already
  lastSeq.set(key, message.seq);
  const { decoder, targets, flags } = message.estimate;
  for (const [name, target] of Object.entries(targets)) {
    // An ordered target; categories have probabilities alone.
    if (target.edges.length > 0) console.log(decoder, name, target.expected, "+-", target.spread);
  }
  if (Object.keys(targets).length === 0) console.log(decoder, "no answer:", flags);
  if (--left === 0) break;
}
socket.close();
