//! ZMTP 3.1.
#![deny(unsafe_code)]
