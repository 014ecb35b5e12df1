//! Work that no request asks for.

pub mod payments;
pub mod sweep;
