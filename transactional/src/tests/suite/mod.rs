//! What the core does, whatever database it is on.

use super::*;

mod commands;
mod doors;
mod erasure;
mod imports;
mod log_in;
mod mails;
mod payments;
mod people_with_access;
mod pricing;
mod processes;
mod sales;
mod webhooks;
mod writer;
