"""A million messages from a plain pyzmq PUSH to a plain pyzmq PULL through `lifeboat run`.

usage: million.py LIFEBOAT_BINARY [COUNT]

Sizes are skewed, every boundary size of the wire format comes up to 1 MiB, messages have one or
more parts, some of them empty. Checked: every message, byte by byte, in order, once.
"""

import pathlib
import random
import subprocess
import sys
import tempfile
import threading

import zmq

BOUNDARIES = [0, 1, 254, 255, 256, 257, 65534, 65535, 65536, 65537, 1 << 20]
QUEUE = """
apiVersion: lifeboat.dev/v1alpha1
kind: PersistentQueue
metadata: {name: million}
spec:
  storage: {size: 4Gi}
  streams:
    - name: work
      ingress: [{name: in, socket: PULL, bind: "tcp://*:0"}]
      deliveries: [{name: out, socket: PUSH}]
"""


def messages(count):
    """The same messages each time: a generator for either end."""
    chance = random.Random(1)
    noise = chance.randbytes(1 << 20)
    for number in range(count):
        if number % 1000 < len(BOUNDARIES) and number % 10_000 < 1000:
            sizes = [BOUNDARIES[number % 1000]]
        else:
            parts = chance.choice((1, 1, 1, 1, 2, 3, 5))
            sizes = [min(int(chance.paretovariate(1.1)) * 8 - 8, 60_000) for _ in range(parts)]
        at = number % 4096
        yield [number.to_bytes(8, "big")] + [noise[at : at + size] for size in sizes]


def connect(kind, endpoint):
    socket = zmq.Context.instance().socket(kind)
    socket.setsockopt(zmq.RCVTIMEO, 60_000)
    socket.setsockopt(zmq.SNDTIMEO, 60_000)
    socket.connect(endpoint)
    return socket


def produce(endpoint, count):
    socket = connect(zmq.PUSH, endpoint)
    for message in messages(count):
        socket.send_multipart(message, copy=True)
    socket.close(linger=60_000)


def main():
    binary, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    with tempfile.TemporaryDirectory() as home:
        file = pathlib.Path(home, "queue.yaml")
        file.write_text(QUEUE)
        command = [binary, "run", file, "--data", f"{home}/data", "--admin", "off"]
        lifeboat = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            endpoints = {}
            for line in lifeboat.stdout:
                words = line.split()
                if words[0] == "ready":
                    break
                endpoints[words[1]] = words[-1]
            producer = threading.Thread(target=produce, args=(endpoints["work.in"], count))
            producer.start()
            consumer = connect(zmq.PULL, endpoints["work.out"])
            size = 0
            for number, expected in enumerate(messages(count)):
                received = consumer.recv_multipart()
                if received != expected:
                    sys.exit(f"message {number} is not what was sent")
                size += sum(map(len, received))
            producer.join()
            print(f"{count} sent, {count} delivered in order, {size >> 20} MiB, 0 lost, 0 duplicates")
        finally:
            lifeboat.terminate()
            if lifeboat.wait(10) != 0:
                sys.exit("lifeboat did not end well")


main()
