"""A worker on Credit: reports each message to the collector, and acknowledges what that has noted.

CRASH: it ends as soon as it is started. CREDIT: how many messages it takes at a time. HUNGRY: numbers
of messages, with commas; handed out for the first time, each makes it take memory until it is killed.
"""
import os
import signal
import sys
import time

import zmq

# As a container's first process it would ignore this, and keep its pod for the whole grace period.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if os.environ.get("CRASH"):
    time.sleep(1)
    sys.exit("as I was told")
hungry = {b":" + number.encode() for number in os.environ.get("HUNGRY", "").split(",") if number}
context = zmq.Context.instance()
queue = context.socket(zmq.DEALER)
queue.connect(os.environ["LIFEBOAT_WORK_WORKERS"])
collector = context.socket(zmq.DEALER)
collector.connect(os.environ["COLLECTOR"])
poller = zmq.Poller()
poller.register(queue, zmq.POLLIN)
poller.register(collector, zmq.POLLIN)
while True:
    ready = dict(poller.poll())
    if queue in ready:
        verb, *rest = queue.recv_multipart()
        if verb == b"HELLO":
            queue.send_multipart([b"CREDIT", os.environ.get("CREDIT", "64").encode()])
        elif verb == b"MSG":
            token, attempt, seq, _, body = rest
            body = body.rstrip()
            eaten = []
            while attempt == b"1" and body[body.index(b":"):] in hungry:
                eaten.append(bytes([1]) * (1 << 20))
            collector.send_multipart([token, body])
    if collector in ready:
        queue.send_multipart([b"ACK", collector.recv()])
