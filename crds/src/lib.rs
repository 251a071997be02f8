//! The PersistentQueue resource: its types and the one validation that all of Lifeboat shares.
#![forbid(unsafe_code)]
