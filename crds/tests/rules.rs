//! The rules of the CRD.
