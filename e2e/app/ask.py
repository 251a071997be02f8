"""Prints what the collector in this pod has counted."""
import zmq

socket = zmq.Context.instance().socket(zmq.DEALER)
socket.setsockopt(zmq.RCVTIMEO, 10000)
socket.connect("tcp://127.0.0.1:7000")
socket.send(b"?")
print(socket.recv().decode())
