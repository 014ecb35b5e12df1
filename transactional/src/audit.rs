//! What the core says of itself at one position, in sums that SQL over the lake can compute too.

use crate::{
    Reader, Result, Source, Store, dialect, outbox,
    sql::{self, Columns, binds},
};
use domain::changes::{ENTITIES, Entity};

/// One read transaction: whatever is sold meanwhile, its answers are of one position.
pub struct AuditSnapshot {
    reader: Reader,
    position: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub rows: i64,
    /// The sum of versions: how many changes made these rows.
    pub versions: i64,
    pub money: i64,
    /// Of ids and versions, whatever their order.
    pub digest: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub id: String,
    pub version: i64,
    pub money: i64,
}

impl AuditSnapshot {
    pub async fn open(store: &Store) -> Result<Self> {
        let mut reader = store.read().await?;
        let (position, _) = outbox::committed(&mut reader).await?;
        Ok(Self { reader, position })
    }

    /// The seq of the last change that these answers know of.
    pub fn position(&self) -> i64 {
        self.position
    }

    pub async fn totals(&mut self, entity: &Entity) -> Result<Totals> {
        let sql = totals_sql(entity, dialect::position_function(self.reader.session().connection));
        let row = sql::one(&mut self.reader, sql, vec![]).await?;
        Ok(Totals {
            rows: row.int("rows")?,
            versions: row.int("versions")?,
            money: row.int("money")?,
            digest: row.int("digest")?,
        })
    }

    /// Rows in the order of their ids, to name the first that differs.
    pub async fn rows(&mut self, entity: &Entity, after_id: &str, limit: i64) -> Result<Vec<AuditRow>> {
        let sql = format!(
            "select {key} as id, version, {money} as money from {view} where {key} > $1 order by {key} limit $2",
            key = entity.key,
            money = entity.money.unwrap_or("0"),
            view = entity.view,
        );
        let rows = sql::all(&mut self.reader, sql, binds![after_id, limit]).await?;
        let read = |row| {
            Ok(AuditRow {
                id: Columns::text(row, "id")?,
                version: Columns::int(row, "version")?,
                money: Columns::int(row, "money")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// What does not add up inside the core. Empty: it is sound.
    pub async fn invariants(&mut self) -> Result<Vec<String>> {
        invariants::check(&mut self.reader).await
    }
}

fn totals_sql(entity: &Entity, position: &str) -> String {
    format!(
        "select count(*) as rows, cast(coalesce(sum(version), 0) as bigint) as versions, \
         cast(coalesce(sum({money}), 0) as bigint) as money, \
         cast(coalesce(sum({digest}), 0) as bigint) as digest from {view}",
        money = entity.money.unwrap_or("0"),
        digest = digest_sql(entity.key, "version", position),
        view = entity.view,
    )
}

/// The largest prime below 2³¹: a product of two remainders stays within a bigint, and so does the sum of four billion
/// of them.
const PRIME: i64 = 2_147_483_647;

/// One row's part of the digest, by integer arithmetic that every engine does alike: the last 12 hexadecimal digits of
/// the id, times a number made from the version, modulo a prime. `position` is the engine's name of the function that
/// finds a text in a text.
pub fn digest_sql(id_column: &str, version_column: &str, position: &str) -> String {
    let digit = |place: u32| {
        let weight = 16_i64.pow(12 - place);
        format!(
            "(cast({position}('0123456789abcdef', substr({id_column}, {}, 1)) as bigint) - 1) * {weight}",
            24 + place
        )
    };
    let digits: Vec<String> = (1..=12).map(digit).collect();
    format!(
        "((({}) % {PRIME}) * (({version_column} * 48271 + 11) % {PRIME})) % {PRIME}",
        digits.join(" + ")
    )
}

/// All entities, in the order of the registry.
pub fn entities() -> &'static [Entity] {
    ENTITIES
}

mod doors;
mod invariants;
