# An application that cannot acknowledge: a plain PULL, unchanged.
import sys
import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "ipc://lifeboat-data/sockets/events.out"
socket = zmq.Context.instance().socket(zmq.PULL)
socket.setsockopt(zmq.RCVTIMEO, 2000)
socket.connect(endpoint)
count = 0
while True:
    try:
        socket.recv_multipart()
    except zmq.Again:
        break                             # nothing for two seconds
    count += 1
print("received", count)
