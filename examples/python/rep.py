# A worker that is a plain REP, unchanged: its reply says that the message is done.
import sys
import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "ipc://lifeboat-data/sockets/jobs.workers"
patience = int(sys.argv[2]) if len(sys.argv) > 2 else 2000    # milliseconds
socket = zmq.Context.instance().socket(zmq.REP)
socket.setsockopt(zmq.RCVTIMEO, patience)
socket.connect(endpoint)
done = 0
while True:
    try:
        message = socket.recv_multipart()
    except zmq.Again:
        break                             # nothing came for so long
    done += 1                             # here the work is done
    socket.send(b"done")                  # b"NACK": again, later; b"REJECT": never again
print("replied to", done)
