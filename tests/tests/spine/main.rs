//! The program from outside: its API, its command line, its data folder, and what a crash leaves of them. Everything
//! here runs the real binary and speaks HTTP to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what can't be set up is a failed test"
)]

mod access;
mod account;
mod audit_log;
mod buyer;
mod cancelled_events;
mod check_ins;
mod commands;
mod consistency;
mod crash;
mod dashboards;
mod dashboards_read;
mod demo;
mod doors;
mod erasure;
mod exports;
mod faults;
mod figures;
mod fuzz;
mod imports;
mod insights;
mod insights_kept;
mod interactions;
mod lake;
mod metrics;
mod money;
mod notebooks;
mod observability;
mod openapi;
mod organizing;
mod process;
mod purchase;
mod readers;
mod requests;
mod shared;
mod spans;
mod sql;
mod till;
mod transforms;
mod webhooks;
