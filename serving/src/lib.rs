//! The program: HTTP API, command line, background work, and the wiring of the other crates into one.

mod audit;
mod auth;
pub mod cli;
pub mod config;
pub mod demo;
mod extract;
mod figures;
pub mod home;
mod import;
mod jobs;
mod limits;
mod problem;
mod resource;
mod router;
mod routes;
pub mod server;
mod view;
mod wiring;
