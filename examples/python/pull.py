# An application that cannot acknowledge: a plain PULL, unchanged.
import sys
import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "ipc://lifeboat-data/sockets/events.out"
patience = int(sys.argv[2]) if len(sys.argv) > 2 else 2000    # milliseconds
socket = zmq.Context.instance().socket(zmq.PULL)
socket.setsockopt(zmq.RCVTIMEO, patience)
socket.connect(endpoint)
count = 0
while True:
    try:
        socket.recv_multipart()
    except zmq.Again:
        break                             # nothing came for so long
    count += 1
print("received", count)
