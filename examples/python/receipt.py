# A producer that knows: when send() returns, the message is written and synced.
import zmq

socket = zmq.Context.instance().socket(zmq.REQ)
socket.setsockopt(zmq.REQ_RELAXED, 1)     # may send again without a reply
socket.setsockopt(zmq.REQ_CORRELATE, 1)   # and never takes an old reply for a new one
socket.setsockopt(zmq.RCVTIMEO, 5000)
socket.connect("tcp://127.0.0.1:5556")


def send(*frames):
    while True:
        socket.send_multipart(frames)
        try:
            code, *seq = socket.recv_multipart()
        except zmq.Again:
            continue                      # no receipt: send it again; it may be stored twice
        if code == b"200":
            return int(seq[0])
        if code != b"503":                # 503: not stored, try again
            raise ValueError(f"refused with code {code.decode()}")


print("stored as seq", send(b"an order"))
