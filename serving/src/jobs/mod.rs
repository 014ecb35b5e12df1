//! Work that no request asks for.

pub mod announce;
pub mod payments;
pub mod sweep;
