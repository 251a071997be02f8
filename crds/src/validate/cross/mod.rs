//! The rules that join several fields.

mod endpoints;
mod names;
mod receipts;
mod sizes;

use super::facts::Facts;
use super::walk::Walk;

pub(crate) fn check(walk: &mut Walk, facts: &Facts<'_>) {
    names::check(walk, facts);
    receipts::check(walk, facts);
    endpoints::check(walk, facts);
    sizes::check(walk, facts);
}
