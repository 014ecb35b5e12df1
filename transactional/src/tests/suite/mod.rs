//! What the core does, whatever database it is on.

use super::*;

mod cancelled_events;
mod chance;
mod commands;
mod doors;
mod doors_at_random;
mod doors_offline;
mod doors_people;
mod doors_scanners;
mod erasure;
mod imports;
mod insights_kept;
mod insights_told;
mod log_in;
mod mails;
mod money;
mod payments;
mod people_with_access;
mod pricing;
mod processes;
mod providers;
mod reconciliation;
mod reserved;
mod sales;
mod waiting;
mod webhooks;
mod writer;
