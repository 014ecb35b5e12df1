//! Work that no request asks for.

pub mod announce;
pub mod erasure;
pub mod insights;
pub mod mail;
pub mod money;
pub mod sweep;
pub mod transforms;
pub mod webhooks;
