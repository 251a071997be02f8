# A worker that asks: it fetches a message, and acknowledges it by asking for the next one.
import sys
import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "ipc://lifeboat-data/sockets/work.workers"
socket = zmq.Context.instance().socket(zmq.REQ)
socket.setsockopt(zmq.REQ_RELAXED, 1)     # may ask again without an answer
socket.setsockopt(zmq.REQ_CORRELATE, 1)   # and never takes an old answer for a new one
socket.setsockopt(zmq.RCVTIMEO, 5000)     # longer than it has the queue wait for a message
socket.connect(endpoint)
done, verb = 0, [b"FETCH", b"2000"]
while True:
    socket.send_multipart(verb)
    try:
        answer, *rest = socket.recv_multipart()
    except zmq.Again:
        continue                          # no answer: say it again
    if answer == b"EMPTY":
        break                             # nothing for two seconds
    if answer != b"MSG":
        raise ValueError(b" ".join([answer, *rest]).decode())
    token, attempt, seq, _, *body = rest
    done += 1                             # here the work is done; seq is its key in this replica
    verb = [b"NEXT", token, b"2000"]
print("acknowledged", done)
