//! Erases people whose erasure was asked for: first in the core, then, when every change of theirs is in files, in the
//! lake. Each step can be done again, so whoever leads next goes on where a crash ended it.

use crate::{mail::Mailer, wiring::App};
use anyhow::{Context, Result, bail};
use ingest::{CHANGES, INTERACTIONS, LogOptions};
use lakehouse::{Lake, erase::ErasedTable};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use transactional::{
    erasure::{self, Erasure, Scrubbed},
    mail,
};
use transforms::{Project, project::Transform};

const EVERY: Duration = Duration::from_secs(1);
const AFTER_A_FAILURE: Duration = Duration::from_secs(10);
/// Erasures that share one pass over the lake's files.
const TOGETHER: i64 = 100;
/// A table without new rows tells how far it is once a minute; far more means that no sink is at work.
const CATCH_UP: Duration = Duration::from_secs(600);

pub async fn run(app: Arc<App>, mailer: Mailer, stop: CancellationToken) {
    let mut pause = EVERY;
    loop {
        let attempt = async {
            tokio::time::sleep(pause).await;
            erase_some(&app, &mailer).await
        };
        tokio::select! {
            () = stop.cancelled() => return,
            erased = attempt => match erased {
                Ok(()) => pause = EVERY,
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "an erasure can't go on; it is tried again");
                    pause = AFTER_A_FAILURE;
                }
            },
        }
    }
}

async fn erase_some(app: &App, mailer: &Mailer) -> Result<()> {
    let asked = erasure::unfinished(&app.store, TOGETHER).await?;
    let Some(lake) = app.lake.as_ref().filter(|_| !asked.is_empty()) else {
        return Ok(());
    };
    let mut last = 0;
    for erasure in &asked {
        last = erasure::erase(&app.store, erasure).await?.max(last);
        for mail in mail::of_person(&app.store, erasure.person_id).await? {
            mailer
                .port
                .forget(mail)
                .await
                .context("a mail to the person is still there")?;
        }
    }
    let scrubbed = erasure::scrub(&app.store)
        .await
        .context("the database's files still hold what was erased")?;
    until_in_files(app, lake, last).await?;
    let people: BTreeSet<_> = asked.iter().map(|erasure| erasure.person_id).collect();
    let grace = asked.iter().map(|erasure| erasure.grace).max().unwrap_or_default();
    let tables = lake.erase_people(&people, grace).await?;
    lake.forget_kept(&of_interactions()?, grace).await?;
    for asked in &asked {
        let erasure = erasure::get(&mut app.store.read().await?, asked.erasure_id).await?;
        let report = report(&erasure, scrubbed, &tables, people.len() - 1);
        erasure::finish(&app.store, erasure.erasure_id, report).await?;
        tracing::info!(erasure = %erasure.erasure_id, "a person was erased");
    }
    Ok(())
}

/// The computed tables whose rows follow from what people did on pages. They are computed anew from what is left.
fn of_interactions() -> Result<Vec<String>> {
    let project = Project::load()?;
    let transforms = project.transforms().iter().filter(|transform| transform.is_kept());
    let transforms = transforms.filter(|transform| transform.reads("interactions"));
    Ok(transforms.map(Transform::table).collect())
}

/// Waits until nothing about the people is on its way to the lake any more: a tail would bring it back.
async fn until_in_files(app: &App, lake: &Lake, seq: i64) -> Result<()> {
    let started = Instant::now();
    while app.store.relay_cursor().await? < seq {
        wait(started, "the log lacks changes from before the erasure").await?;
    }
    let mut ends = Vec::new();
    for topic in [CHANGES, INTERACTIONS] {
        for partition in 0..app.log.partitions(topic)? {
            ends.push((topic, partition, app.log.end_offset(topic, partition).await?));
        }
    }
    loop {
        // What this process commits is committed at once; others take their time.
        lake.flush().await?;
        lake.refresh().await?;
        if ends
            .iter()
            .all(|(topic, partition, end)| lake.committed(topic, *partition) >= *end)
        {
            return Ok(());
        }
        wait(started, "the lake lacks rows from before the erasure").await?;
    }
}

async fn wait(since: Instant, why: &str) -> Result<()> {
    if since.elapsed() > CATCH_UP {
        bail!("after {CATCH_UP:?}, {why}: is a process with the role relay and one with the role sink at work?");
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(())
}

/// Places and counts; nothing that the person could be known by.
fn report(erasure: &Erasure, scrubbed: Scrubbed, tables: &[ErasedTable], others: usize) -> Value {
    let mut report = erasure.report.clone();
    let person = erasure.person_id.to_string();
    let in_lake: Vec<Value> = tables
        .iter()
        .map(|table| {
            let rows = table.people.0.get(&person).copied().unwrap_or_default();
            json!({
                "table": table.table, "rows_emptied": rows.emptied, "rows_deleted": rows.deleted,
                "files_rewritten": table.files_rewritten, "files_deleted": table.files_deleted,
                "bytes_deleted": table.bytes_deleted,
            })
        })
        .collect();
    report["core"]["files"] = json!(scrubbed.done);
    report["log"] = json!({
        "changes": "personal data is encrypted there; the person's key was deleted, so that no copy can be read, however \
                    old, and a replay brings nulls",
    });
    report["lake"] = json!({
        "tables": in_lake,
        "erased_together_with": others,
        "transaction_log": "its entries and checkpoints never hold personal data: file statistics leave it out",
        "tails": "what was there was committed first, and erased in the files",
        "read_caches": "each process drops its copies with the files, as soon as it knows of the new ones: queries of other \
                        processes may see the old ones some ten seconds longer",
    });
    report["exports"] = json!("this program keeps none");
    report["remains"] = remains(scrubbed);
    report
}

fn remains(scrubbed: Scrubbed) -> Value {
    let days = LogOptions::default().retention.age.as_secs() / (24 * 3600);
    let until = format!(
        "they are {days} days old, or what else the operator keeps the log for; it goes a file or segment at a time, and the \
         newest one stays until it is full"
    );
    json!([
        { "where": "core and lake", "what": "the person's id, in orders, payments and tickets",
          "until": "for good: accounts have to add up, and nothing here leads from the id to a person" },
        { "where": "core and lake", "what": "of imported orders, the number that the origin gave to the answer",
          "until": "for good: it tells a second import what it has seen" },
        { "where": "log, topic interactions",
          "what": "what was done on pages under the person's id; a lake that is built anew from the log has it again",
          "until": until.clone() },
        { "where": "log, topic changes",
          "what": "personal data written by a version that did not encrypt it, if there was one",
          "until": until },
        { "where": "database", "what": "the erased values and the key", "until": scrubbed.remains },
        { "where": "lake", "what": "older versions of its objects, where the store keeps some or has backups",
          "until": "the operator's retention of them ends" },
        { "where": "payment providers, mail providers, and what staff downloaded", "what": "what they were given, mails and webhooks included (these name no people)",
          "until": "they are asked by the organizer" },
    ])
}
