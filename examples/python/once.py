# A producer whose messages are stored once, however often it has to send them.
import uuid
import zmq

TRIES, PATIENCE_MS = 20, 2000


def connect():
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect("tcp://127.0.0.1:5557")
    return socket


def store(payload, id=None):
    id = id or uuid.uuid4().bytes         # 8 to 64 bytes; better one that outlives this process
    for _ in range(TRIES):
        socket = connect()
        socket.send_multipart([id, b"", payload])
        answered = socket.poll(PATIENCE_MS)
        receipt = socket.recv_multipart() if answered else []
        socket.close()
        if receipt[2:3] == [b"200"]:
            return int(receipt[3])
        if receipt[2:3] not in ([], [b"503"]):
            raise ValueError(f"refused with code {receipt[2].decode()}")
    raise TimeoutError("no receipt: the same id may be sent again")


id = uuid.uuid4().bytes
first = store(b"ten euros", id)
assert store(b"ten euros", id) == first   # as if the receipt had been lost
try:
    store(b"eleven euros", id)
except ValueError as refused:
    print("stored as seq", first, "and another payment under its id is", refused)
