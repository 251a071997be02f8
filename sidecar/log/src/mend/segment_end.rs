//! Where a damaged segment ends: what its header, its batches, its seal, its successor and the
//! journal say. Pure.

use crate::salvage::Salvage;
use crate::seal;
use crate::segment::Header;

/// What is known of a damaged segment beside its name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known {
    /// Its header is whole.
    Header(Header),
    /// Its header is not, or is that of another segment.
    Place {
        /// The salt that the header's bytes show; what it fits is proven by checksums.
        salt: Option<u64>,
        /// The number that fits its place.
        number: Option<u64>,
    },
}

impl Known {
    /// The salt of its batches. Without one nothing of it will be found.
    pub(super) fn salt(&self) -> u64 {
        match self {
            Self::Header(header) => header.salt,
            Self::Place { salt, .. } => salt.unwrap_or(0),
        }
    }

    /// Its number; `None` if all that fit are those of deleted segments.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Header(header) => Some(header.number),
            Self::Place { number, .. } => *number,
        }
    }

    /// What it continues. Where that is not known, the next look at the log finds it.
    pub(super) fn chain(&self) -> u32 {
        match self {
            Self::Header(header) => header.chain,
            Self::Place { .. } => 0,
        }
    }

    /// How many jumps lie before it. Where that is not known, the journal knows.
    pub(super) fn jumps(&self) -> u32 {
        match self {
            Self::Header(header) => header.jumps,
            Self::Place { .. } => 0,
        }
    }

    /// Whether its batches may hold ids; they may where that is not known.
    pub(super) fn keeps_ids(&self) -> bool {
        match self {
            Self::Header(header) => header.keeps_ids,
            Self::Place { .. } => true,
        }
    }

    /// Unix time of its creation in nanoseconds.
    pub(super) fn created(&self) -> u64 {
        match self {
            Self::Header(header) => header.created,
            Self::Place { .. } => 0,
        }
    }

    /// Whether its header is.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Header(_))
    }
}

/// The seq up to which records are known to have been there, and the one where the log goes on.
///
/// `next` is the base of the segment after it, `settled_end` what the journal knows to have been
/// there. The two differ, by `jump`, if nothing tells how many records there were. Where some of it
/// `is_unreadable`, the end of an unsealed one may be among that, and not only torn.
pub(super) fn known_end(
    known: &Known,
    salvage: &Salvage,
    next: Option<u64>,
    settled_end: u64,
    is_unreadable: bool,
    jump: u64,
) -> (u64, u64) {
    if let Some(sealed_end) = salvage.sealed_end {
        let end = sealed_end.max(salvage.known_end);
        return (end, end);
    }
    if let Some(next) = next {
        return (next, next);
    }
    let end = salvage.known_end.max(settled_end);
    // A file is as long as its header says until it is sealed.
    let unsealed = matches!(known, Known::Header(header) if salvage.file_len() >= header.len);
    // All but the seal is there.
    let to_the_seal = salvage.file_len().saturating_sub(seal::LEN as u64);
    let lacks_seal = known.is_whole()
        && salvage.damaged.first().is_some_and(|damaged| damaged.start == to_the_seal);
    let is_known = (unsealed || lacks_seal) && !is_unreadable;
    if is_known { (end, end) } else { (end, end + jump) }
}
