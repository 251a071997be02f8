"""Does nothing, for as long as the pod runs: what a queue needs to become ready."""
import signal

signal.sigwait([signal.SIGTERM, signal.SIGINT])
