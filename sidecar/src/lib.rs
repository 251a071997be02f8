//! The data plane of Lifeboat.
#![forbid(unsafe_code)]
