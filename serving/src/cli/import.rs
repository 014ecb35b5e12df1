//! `bilten import`: what another program exported, as organizers, venues, events and orders.

use super::{
    connection::{Connection, send},
    progress::Progress,
    serve::say,
};
use crate::{
    config::Config,
    import::{self, Imported},
    routes::imports::ImportAnswer,
};
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use domain::Timestamp;
use reqwest::{Method, header};
use std::path::PathBuf;
use transactional::imports::ImportItem;

/// Large enough to share commits, small enough for the bar to move.
const ITEMS_A_REQUEST: usize = 1_000;
const MOST_BYTES_A_REQUEST: usize = 4 << 20;
const NAMED: usize = 5;

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Groups, venues, events and RSVPs of Meetup, as CSV files: a "yes" becomes an order, a later "no" cancels it
    Meetup {
        /// The folder with groups.csv, venues.csv, rsvps.csv and, if there is one, events.csv
        dir: PathBuf,
    },
    /// The archive of R-Ladies events, as JSON files: a catalogue in many languages, without orders
    Rladies {
        /// The folder with events_*.json and chapters.json
        dir: PathBuf,
    },
}

pub(crate) async fn run(config: &Config, command: ImportCommand) -> Result<()> {
    let (ImportCommand::Meetup { dir } | ImportCommand::Rladies { dir }) = &command;
    let dir = dir.clone();
    let reading = dir.display().to_string();
    let Imported { items, report } = tokio::task::spawn_blocking(move || match command {
        ImportCommand::Meetup { .. } => import::meetup::read(&dir, Timestamp::now()),
        ImportCommand::Rladies { .. } => import::rladies::read(&dir, Timestamp::now()),
    })
    .await?
    .with_context(|| format!("{reading} can't be imported"))?;
    let connection = Connection::open(config).await?;
    let sent = send_items(&connection, &items).await;
    connection.close().await?;
    let (answer, refused) = sent?;
    say(report.to_string().trim_end());
    say(&format!(
        "{} created, {} updated, {} unchanged, {} refused",
        answer.created,
        answer.updated,
        answer.unchanged,
        refused.len()
    ));
    for line in refused.iter().take(NAMED) {
        say(line);
    }
    Ok(())
}

/// Sends the items in order and sums up the answers.
pub(crate) async fn send_items(connection: &Connection, items: &[ImportItem]) -> Result<(ImportAnswer, Vec<String>)> {
    let mut progress = Progress::new("importing", items.len() as u64);
    let (mut sum, mut refused) = (ImportAnswer::default(), Vec::new());
    let mut rest = items;
    while !rest.is_empty() {
        let mut body = Vec::new();
        let mut count = 0;
        for item in rest.iter().take(ITEMS_A_REQUEST) {
            serde_json::to_writer(&mut body, item)?;
            body.push(b'\n');
            count += 1;
            if body.len() > MOST_BYTES_A_REQUEST {
                break;
            }
        }
        let request = connection
            .request(Method::POST, "/v1/imports")
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .body(body);
        let answer: ImportAnswer = send(request)
            .await?
            .json()
            .await
            .context("the server's answer broke off")?;
        sum.created += answer.created;
        sum.updated += answer.updated;
        sum.unchanged += answer.unchanged;
        for item in answer.refused {
            let Some(what) = rest.get(item.index as usize) else {
                bail!("the server refused an item that was not sent")
            };
            refused.push(format!("refused: {}: {}", source(what), item.message));
        }
        rest = &rest[count..];
        progress.add(count as u64);
    }
    progress.finish();
    Ok((sum, refused))
}

fn source(item: &ImportItem) -> &str {
    match item {
        ImportItem::Organizer(organizer) => &organizer.source,
        ImportItem::Venue(venue) => &venue.source,
        ImportItem::Event(event) => &event.source,
        ImportItem::Order(order) => &order.source,
    }
}
