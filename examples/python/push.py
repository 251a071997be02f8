# A producer that does not ask: the fastest way in, and no receipt.
import zmq

socket = zmq.Context.instance().socket(zmq.PUSH)
socket.connect("tcp://127.0.0.1:5555")
for number in range(1000):
    socket.send(b"order %d" % number)     # blocks while the queue is full
socket.close()
zmq.Context.instance().term()             # returns once all of it has left this process
