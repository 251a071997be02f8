"""Does nothing, for as long as the pod runs: what a queue needs to become ready."""
import signal

ends = {signal.SIGTERM, signal.SIGINT}
signal.pthread_sigmask(signal.SIG_BLOCK, ends)    # a first process ignores what it does not handle
signal.sigwait(ends)
