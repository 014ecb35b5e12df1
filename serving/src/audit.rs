//! The proof that lake and core agree: for every entity the number of rows and of changes, the sum of money, and a hash
//! over ids and versions, computed by SQL on each side at one position in the order of changes.
//!
//! The core's side is one read transaction, so sales go on meanwhile. The lake's side waits until it has seen that
//! position, and then looks at nothing after it. Every change raises its entity's version by one, from 1 on; so the
//! number of change rows in the lake must be the sum of versions in the core, or a change was lost or doubled.

use crate::{problem::Result, rows, wiring::App};
use domain::{
    Timestamp,
    changes::{ENTITIES, Entity},
};
use lakehouse::Principal;
use serde::Serialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use transactional::audit::{AuditRow, AuditSnapshot, Totals, digest_sql};
use utoipa::ToSchema;

/// The lake is a second behind at most; far more means that it stands still, which the report then says.
const CATCH_UP: Duration = Duration::from_secs(30);
/// How many rows are compared at a time when the first difference is looked for.
const CHUNK: i64 = 5_000;

#[derive(Debug, Serialize, ToSchema)]
pub struct AuditReport {
    pub clean: bool,
    /// The position that both sides were compared at.
    pub position: i64,
    #[schema(value_type = String)]
    pub audited_at: String,
    pub duration_ms: u64,
    pub entities: Vec<EntityAudit>,
    /// What does not add up within the core itself.
    pub broken_invariants: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EntityAudit {
    pub entity: &'static str,
    pub clean: bool,
    pub core: SideTotals,
    pub lake: SideTotals,
    /// What differs first, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_difference: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SideTotals {
    pub rows: i64,
    pub changes: i64,
    /// In minor units, over all currencies; none for an entity without money.
    pub money_minor: i64,
    pub digest: i64,
}

pub async fn audit(app: &App) -> Result<AuditReport> {
    let started = Instant::now();
    let mut core = AuditSnapshot::open(&app.store).await?;
    let position = core.position();
    app.queries()?.wait_for(position, CATCH_UP).await?;
    let mut entities = Vec::with_capacity(ENTITIES.len());
    for entity in ENTITIES {
        entities.push(audit_entity(app, &mut core, entity, position).await?);
    }
    let broken_invariants = core.invariants().await?;
    Ok(AuditReport {
        clean: broken_invariants.is_empty() && entities.iter().all(|entity| entity.clean),
        position,
        audited_at: Timestamp::now().to_string(),
        duration_ms: started.elapsed().as_millis() as u64,
        entities,
        broken_invariants,
    })
}

/// For the status page.
pub fn remember(app: &App, report: &AuditReport) {
    let summary = (report.audited_at.clone(), report.clean, report.position);
    app.last_audit.store(Some(Arc::new(summary)));
}

async fn audit_entity(
    app: &App,
    core: &mut AuditSnapshot,
    entity: &'static Entity,
    position: i64,
) -> Result<EntityAudit> {
    let totals: Totals = core.totals(entity).await?;
    let core_totals = SideTotals {
        rows: totals.rows,
        changes: totals.versions,
        money_minor: totals.money,
        digest: totals.digest,
    };
    let lake_totals = lake_totals(app, entity, position).await?;
    let clean = core_totals == lake_totals;
    let first_difference = match clean {
        true => None,
        false => Some(first_difference(app, core, entity, position).await?),
    };
    Ok(EntityAudit {
        entity: entity.name,
        clean,
        core: core_totals,
        lake: lake_totals,
        first_difference,
    })
}

/// The newest version of each row at the position.
fn rows_at(entity: &Entity, position: i64) -> String {
    let money = entity.money.unwrap_or("cast(0 as bigint)");
    let columns = format!("entity_id, entity_version, cast({money} as bigint) as money");
    format!(
        "select * from (select {columns}, row_number() over (partition by entity_id order by entity_version desc) as place \
         from {} where seq <= {position}) as versions where place = 1",
        entity.table
    )
}

async fn lake_totals(app: &App, entity: &Entity, position: i64) -> Result<SideTotals> {
    let digest = digest_sql("entity_id", "entity_version", "strpos");
    let newest = rows_at(entity, position);
    let sql = format!(
        "select count(*) as row_count, (select count(*) from {} where seq <= {position}) as change_count, \
         cast(coalesce(sum(money), 0) as bigint) as money_minor, cast(coalesce(sum({digest}), 0) as bigint) as digest \
         from ({newest}) as newest",
        entity.table
    );
    let rows = rows::values(app.queries()?.session(&auditor()).sql(&sql).await?).await?;
    let number = |name: &str| rows.first().and_then(|row| row[name].as_i64()).unwrap_or_default();
    Ok(SideTotals {
        rows: number("row_count"),
        changes: number("change_count"),
        money_minor: number("money_minor"),
        digest: number("digest"),
    })
}

/// Walks both sides in the order of ids until they part.
async fn first_difference(
    app: &App,
    core: &mut AuditSnapshot,
    entity: &'static Entity,
    position: i64,
) -> Result<String> {
    let mut after = String::new();
    loop {
        let in_core = core.rows(entity, &after, CHUNK).await?;
        let in_lake = lake_rows(app, entity, position, &after).await?;
        let mut lake = in_lake.iter();
        for row in &in_core {
            match lake.next() {
                Some(found) if (&found.id, found.version, found.money) == (&row.id, row.version, row.money) => {}
                Some(found) if found.id < row.id => {
                    return Ok(format!("{} is in the lake and not in the core", found.id));
                }
                Some(found) if found.id == row.id => return Ok(differs(row, found)),
                _ => return Ok(format!("{} is in the core and not in the lake", row.id)),
            }
        }
        if let Some(found) = lake.next() {
            return Ok(format!("{} is in the lake and not in the core", found.id));
        }
        match in_core.last() {
            Some(last) => after = last.id.clone(),
            None => return Ok("every row's newest version agrees: an older change was lost or doubled".to_owned()),
        }
    }
}

fn differs(core: &AuditRow, lake: &AuditRow) -> String {
    format!(
        "{}: version {} with {} in the core, version {} with {} in the lake",
        core.id, core.version, core.money, lake.version, lake.money
    )
}

async fn lake_rows(app: &App, entity: &Entity, position: i64, after: &str) -> Result<Vec<AuditRow>> {
    // `after` is an id that the core gave us, never text of a client.
    let newest = rows_at(entity, position);
    let sql = format!(
        "select entity_id, entity_version, money from ({newest}) as newest where entity_id > '{after}' \
         order by entity_id limit {CHUNK}"
    );
    let stream = app.queries()?.session(&auditor()).sql(&sql).await?;
    let objects = rows::values(stream).await?;
    Ok(objects
        .into_iter()
        .map(|row| AuditRow {
            id: row["entity_id"].as_str().unwrap_or_default().to_owned(),
            version: row["entity_version"].as_i64().unwrap_or_default(),
            money: row["money"].as_i64().unwrap_or_default(),
        })
        .collect())
}

fn auditor() -> Principal {
    Principal {
        id: "audit".into(),
        organizer: None,
        personal_data: true,
    }
}
