# A worker that is a plain REP, unchanged: its reply says that the message is done.
import sys
import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "ipc://lifeboat-data/sockets/jobs.workers"
socket = zmq.Context.instance().socket(zmq.REP)
socket.setsockopt(zmq.RCVTIMEO, 2000)
socket.connect(endpoint)
done = 0
while True:
    try:
        message = socket.recv_multipart()
    except zmq.Again:
        break                             # nothing for two seconds
    done += 1                             # here the work is done
    socket.send(b"done")                  # b"NACK": again, later; b"REJECT": never again
print("replied to", done)
