//! What happens to queues on a real cluster, and what must be true afterwards.
