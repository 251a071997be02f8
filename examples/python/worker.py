# A worker that acknowledges: what it has not acknowledged is delivered again.
import sys
import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "ipc://lifeboat-data/sockets/work.workers"
patience = int(sys.argv[2]) if len(sys.argv) > 2 else 2000    # milliseconds
socket = zmq.Context.instance().socket(zmq.DEALER)
socket.setsockopt(zmq.RCVTIMEO, patience)
socket.connect(endpoint)
stream, done = None, 0
while True:
    try:
        verb, *rest = socket.recv_multipart()
    except zmq.Again:
        break                             # nothing came for so long
    if verb == b"HELLO":                  # the queue is there, now or again: say how much you take
        stream = rest[1]                  # its id, part of each message's key
        socket.send_multipart([b"CREDIT", b"64"])
    elif verb == b"MSG":
        token, attempt, seq, _, *body = rest
        done += 1                         # here the work is done; (stream, seq) is its key
        socket.send_multipart([b"ACK", token])
print("acknowledged", done)
