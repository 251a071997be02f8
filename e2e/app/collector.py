"""Who got what: counts what workers report, before they acknowledge it. Survives its process, not its pod."""
import json

import zmq

counts = {}


def count(body):
    producer, _, number = body.partition(":")
    numbers = counts.setdefault(producer, {})
    numbers[int(number)] = numbers.get(int(number), 0) + 1


def ranges(numbers):
    found = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


try:
    with open("/state/log") as log:
        for line in log:
            if line.endswith("\n"):
                count(line.strip())
except FileNotFoundError:
    pass
log = open("/state/log", "a")
socket = zmq.Context.instance().socket(zmq.ROUTER)
socket.bind("tcp://*:7000")
while True:
    peer, token, *body = socket.recv_multipart()
    if not body:                          # a question
        answer = {
            name: {"deliveries": sum(numbers.values()), "ranges": ranges(numbers)}
            for name, numbers in counts.items()
        }
        socket.send_multipart([peer, json.dumps(answer).encode()])
        continue
    body = body[0].decode()
    log.write(body + "\n")
    log.flush()
    count(body)
    socket.send_multipart([peer, token])
