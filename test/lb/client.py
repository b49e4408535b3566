"""Makes calls over one channel and prints as JSON who answered how many.

client.py TARGET KIND CALLS MESSAGES
"""

import collections
import json
import sys

import grpc

target, kind, calls, messages = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
service = "/probeshift.test.Greeter/"


def write(message):
    return json.dumps(message).encode()


channel = grpc.insecure_channel(target)
say = channel.unary_unary(service + "Say", write, json.loads)
send = channel.stream_unary(service + "Send", write, json.loads)
list_ = channel.unary_stream(service + "List", write, json.loads)
chat = channel.stream_stream(service + "Chat", write, json.loads)


def requests():
    return ({"answers": messages} for _ in range(messages))


def call():
    """Makes one call and returns the backend that answered."""
    if kind == "unary":
        return say({}, timeout=10)["backend"]
    if kind == "client streaming":
        return send(requests(), timeout=10)["backend"]
    if kind == "server streaming":
        answers = list(list_({"answers": messages}, timeout=10))
    else:
        answers = list(chat(requests(), timeout=10))
    if len(answers) != messages:
        sys.exit(f"{len(answers)} messages came instead of {messages}")
    return answers[0]["backend"]


counts = collections.Counter(call() for _ in range(calls))
json.dump(counts, sys.stdout)
