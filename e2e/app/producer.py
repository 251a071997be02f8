"""A producer that counts: producer.py NAME ENDPOINT RATE [BYTES].

Sends `NAME:0`, `NAME:1`, .., filled up with spaces to BYTES, to a Receipt ingress, each again until it
has a receipt, RATE a second, until /state/stop exists. /state/report always says what is so; one that is started again goes on
from there.
"""
import json
import os
import sys
import time

import zmq

name, endpoint, rate = sys.argv[1], sys.argv[2], float(sys.argv[3])
size = int(sys.argv[4]) if len(sys.argv) > 4 else 0
try:
    with open("/state/report") as file:
        report = json.load(file)
except FileNotFoundError:
    report = {"sent": 0, "receipted": 0, "refused": 0, "last": 0.0, "longestGap": 0.0}


def say(**more):
    with open("/state/report.new", "w") as file:
        json.dump(report | more, file)
    os.rename("/state/report.new", "/state/report")


def connect():
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVTIMEO, 1000)
    socket.setsockopt(zmq.SNDTIMEO, 1000)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, 1000)
    socket.connect(endpoint)
    return socket


say(done=False)
socket = connect()
while not os.path.exists("/state/stop"):
    try:
        report["sent"] += 1
        socket.send((b"%s:%d" % (name.encode(), report["receipted"])).ljust(size))
        code, *_ = socket.recv_multipart()
    except zmq.ZMQError:
        socket.close()                    # no receipt: again, on a new connection
        socket = connect()
        say(done=False)
        continue
    if code != b"200":
        report["refused"] += 1
        say(done=False)
        time.sleep(0.1)
        continue
    now = time.time()
    if report["last"]:
        report["longestGap"] = max(report["longestGap"], now - report["last"])
    report["last"] = now
    report["receipted"] += 1
    say(done=False)
    time.sleep(1 / rate)
say(done=True)
while True:
    time.sleep(60)
