//! What the lake does, wherever it is stored.

use super::*;

mod chance;
mod crash;
mod erasure;
mod isolation;
mod outputs;
mod shared;
mod tail;
mod upkeep;
mod waiting;

/// An empty place, and the lake's address there.
fn place() -> (Place, String) {
    let place = Place::create();
    let url = place.url();
    (place, url)
}
