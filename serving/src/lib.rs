//! The program: HTTP API, command line, background work, and the wiring of the other crates into one.

pub mod audit;
pub mod auth;
pub mod cli;
pub mod config;
pub mod demo;
pub mod extract;
pub mod figures;
pub mod home;
pub mod import;
pub mod jobs;
pub mod limits;
pub mod mail;
pub mod observe;
pub mod payments;
pub mod problem;
pub mod redact;
pub mod resource;
pub mod roles;
pub mod router;
pub mod routes;
pub mod rows;
pub mod server;
pub mod stages;
pub mod telemetry;
pub mod view;
pub mod wiring;
