//! The processes of an installation, as each tells of itself now and then.

use crate::{
    Result, Store,
    sql::{self, Columns, binds},
};
use domain::Timestamp;
use std::time::Duration;

/// A process that is silent for so long is no longer listed.
const SILENT: Duration = Duration::from_secs(15);
/// …and is forgotten after a day.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    pub process_id: String,
    /// `api,relay`
    pub roles: String,
    /// Where it listens.
    pub url: String,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
    /// JSON: what it knows of its own work.
    pub report: String,
}

impl Store {
    /// Says that this process is there. `seen_at` is filled in here.
    pub async fn announce(&self, process: Process) -> Result<()> {
        self.write("system", move |tx| {
            Box::pin(async move {
                let sql = "insert into processes (process_id, roles, url, started_at, seen_at, report)
                           values ($1, $2, $3, $4, $5, $6)
                           on conflict (process_id) do update set seen_at = excluded.seen_at, report = excluded.report";
                let (now, gone) = (tx.now(), tx.now() - FORGOTTEN);
                let Process {
                    process_id,
                    roles,
                    url,
                    started_at,
                    report,
                    ..
                } = process;
                let values = binds![process_id, roles, url, started_at, now, report];
                sql::execute(tx, sql, values).await?;
                sql::execute(tx, "delete from processes where seen_at < $1", binds![gone]).await?;
                Ok(())
            })
        })
        .await
    }

    /// Takes a process off the list that ends.
    pub async fn withdraw(&self, process_id: String) -> Result<()> {
        self.write("system", move |tx| {
            Box::pin(async move {
                sql::execute(tx, "delete from processes where process_id = $1", binds![process_id]).await?;
                Ok(())
            })
        })
        .await
    }

    /// The processes that were seen a moment ago.
    pub async fn processes(&self) -> Result<Vec<Process>> {
        let sql = "select process_id, roles, url, started_at, seen_at, report from processes
                   where seen_at > $1 order by started_at, process_id";
        let since = Timestamp::now() - SILENT;
        let rows = sql::all(&mut self.peek().await?, sql, binds![since]).await?;
        let process = |row: &crate::dialect::Row| {
            Ok(Process {
                process_id: row.text("process_id")?,
                roles: row.text("roles")?,
                url: row.text("url")?,
                started_at: row.time("started_at")?,
                seen_at: row.time("seen_at")?,
                report: row.text("report")?,
            })
        };
        rows.iter().map(process).collect()
    }
}
