//! `bilten sql`: one query, in the form that the caller wants.

use super::connection::{Connection, send};
use crate::config::Config;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use futures::StreamExt;
use reqwest::{Method, header};
use serde_json::json;
use std::{
    fs::File,
    io::{IsTerminal, Read, Write},
    path::PathBuf,
};

#[derive(Debug, Args)]
pub(crate) struct SqlCommand {
    /// The query; without one, it is read from standard input
    query: Option<String>,

    /// How to write the answer
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
    Parquet,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Format::Table => "text/plain",
            Format::Csv => "text/csv",
            Format::Json => "application/json",
            Format::Parquet => "application/vnd.apache.parquet",
        }
    }
}

pub(crate) async fn run(config: &Config, command: SqlCommand) -> Result<()> {
    let query = match command.query {
        Some(query) => query,
        None => read_stdin()?,
    };
    if command.format == Format::Parquet && command.output.is_none() && std::io::stdout().is_terminal() {
        bail!("Parquet is not for a terminal; name a file with --output, or redirect the output");
    }
    let connection = Connection::to_existing(config).await?;
    let result = answer(&connection, &query, command.format, command.output).await;
    connection.close().await?;
    result
}

async fn answer(connection: &Connection, query: &str, format: Format, output: Option<PathBuf>) -> Result<()> {
    let request = connection
        .request(Method::POST, "/v1/sql")
        .header(header::ACCEPT, format.media_type())
        .json(&json!({ "sql": query }));
    let mut body = send(request).await?.bytes_stream();
    let mut out: Box<dyn Write> = match output {
        Some(path) => Box::new(File::create(&path).with_context(|| format!("{} can't be written", path.display()))?),
        None => Box::new(std::io::stdout().lock()),
    };
    while let Some(chunk) = body.next().await {
        out.write_all(&chunk?)?;
    }
    if format == Format::Json {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn read_stdin() -> Result<String> {
    let mut query = String::new();
    std::io::stdin().read_to_string(&mut query)?;
    if query.trim().is_empty() {
        bail!("there is no query; write it after the command, or pipe it in");
    }
    Ok(query)
}
