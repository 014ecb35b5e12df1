//! The SQL that answers for a transform at one moment: its kept rows, and what has come since they were computed.
//!
//! - A *view* is its SQL.
//! - A *rollup* is its kept rows and the same SQL over the facts since their position, added up.
//! - An *overwrite* is its kept rows but for those whose keys were touched since, and its SQL for those keys.
//! - A *table* is its kept rows.
//!
//! Rows that another version of the transform has kept, and rows from sources that this process has not seen yet, are left
//! aside: then the answer is computed as a whole, which is slow and right.

use crate::project::{Materialized, Named, Overwrite, Project, Rollup, Source, Template, Transform, between};
use lakehouse::{
    Result,
    arrow::{array::AsArray, datatypes::Int64Type},
    async_trait,
    relations::{KEPT, KeptState, Moment, Position, Relations},
};
use std::collections::{BTreeMap, BTreeSet};

/// Touched keys that a query lists. More are looked up by the query itself, which reads them a second time.
const MOST_LISTED: usize = 500;

/// So many rows of the sources are computed at once when everything is, by days. Tests have few, and want several parts.
const PART_ROWS: i64 = if cfg!(test) { 20 } else { 500_000 };
/// …and by other keys.
const WIDE_PART_ROWS: i64 = if cfg!(test) { 20 } else { 2_000_000 };

#[async_trait]
impl Relations for Project {
    fn names(&self, schema: &str) -> Vec<String> {
        let transforms = self.transforms().iter().filter(|transform| transform.layer == schema);
        transforms.map(|transform| transform.name.clone()).collect()
    }

    fn kept(&self) -> Vec<String> {
        let transforms = self.transforms().iter().filter(|transform| transform.is_kept());
        transforms.map(Transform::table).collect()
    }

    async fn answer(&self, schema: &str, name: &str, moment: &Moment) -> Result<Option<String>> {
        let Some(transform) = self.transform(name).filter(|transform| transform.layer == schema) else {
            return Ok(None);
        };
        let whole = self.whole(transform);
        let kept = self.usable(transform, moment);
        let sql = match (&transform.about.materialized, kept) {
            (Materialized::View, _) => whole,
            (Materialized::Table { .. }, Some(_)) => kept_rows(transform),
            (Materialized::Table { .. }, None) => format!("select * from ({whole}) where false"),
            (Materialized::Overwrite(_) | Materialized::Rollup(_), None) => whole,
            (Materialized::Rollup(rollup), Some(kept)) => {
                let fresh = self.since(transform, rollup, &kept.position, &moment.position());
                merged(transform, &[kept_rows(transform), fresh])
            }
            (Materialized::Overwrite(overwrite), Some(kept)) => {
                let touched = self.touched(transform, overwrite, &kept.position, moment).await?;
                match touched.predicate() {
                    None => kept_rows(transform),
                    Some(predicate) => format!(
                        "{} where not ({predicate}) union all {}",
                        kept_rows(transform),
                        self.where_touched(transform, &predicate)
                    ),
                }
            }
        };
        Ok(Some(sql))
    }
}

impl Project {
    /// The kept rows of this transform, if they are this version's and the moment has come as far.
    pub(crate) fn usable(&self, transform: &Transform, moment: &Moment) -> Option<KeptState> {
        let kept = moment.kept(&transform.table());
        kept.filter(|kept| kept.fingerprint == transform.fingerprint)
    }

    /// All rows of a transform, from its sources.
    pub(crate) fn whole(&self, transform: &Transform) -> String {
        transform.sql.render(|named| self.place(named))
    }

    /// Where SQL finds what is named.
    pub(crate) fn place(&self, named: &Named) -> String {
        match named {
            Named::Source(table) | Named::New(table) => format!("lake.{table}"),
            Named::Ref(name) => {
                let layer = self.transform(name).map_or("lake", |transform| transform.layer);
                format!("{layer}.{name}")
            }
        }
    }

    /// What a rollup makes of the facts between two positions.
    pub(crate) fn since(&self, transform: &Transform, rollup: &Rollup, after: &Position, up_to: &Position) -> String {
        let has_seq = transform.sources.iter().all(|source| source.has_seq());
        let fresh = between(has_seq, after, up_to);
        let sql = transform.sql.render(|named| match named {
            Named::Ref(name) if *name == rollup.facts => {
                format!("(select * from {} where {fresh})", self.place(named))
            }
            named => self.place(named),
        });
        format!("select {} from ({sql})", transform.column_list())
    }

    /// The query that finds which keys of an overwrite rows between two positions touch, once a row. None if nothing has
    /// come between them: most answers end here, without a look into any table.
    fn touching(
        &self,
        transform: &Transform,
        overwrite: &Overwrite,
        after: &Position,
        up_to: &Position,
    ) -> Option<String> {
        let (changes, interactions) = after.behind(up_to);
        let is_new = |source: &&Source| {
            if source.has_seq() {
                changes != 0
            } else {
                interactions != 0
            }
        };
        let queries = transform.sources.iter().filter(is_new).map(|source| {
            let fresh = |table: &str, has_seq| format!("lake.{table} where {}", between(has_seq, after, up_to));
            match overwrite.touched.get(&source.table) {
                Some(query) => match Template::parse(query) {
                    Ok(template) => template.render(|named| match named {
                        Named::New(table) => {
                            let has_seq = table != domain::interaction::TABLE;
                            format!("(select * from {})", fresh(table, has_seq))
                        }
                        named => self.place(named),
                    }),
                    Err(_) => query.clone(),
                },
                None => format!(
                    "select {} from {}",
                    overwrite.key.join(", "),
                    fresh(&source.table, source.has_seq())
                ),
            }
        });
        let queries: Vec<String> = queries.collect();
        (!queries.is_empty()).then(|| queries.join(" union all "))
    }

    /// The queries that together compute all rows of a transform, each with a range of its key: a season at once would
    /// need more memory and disk than there is.
    pub(crate) async fn in_parts(&self, transform: &Transform, moment: &Moment) -> Result<Vec<String>> {
        let whole = vec![self.whole(transform)];
        let Materialized::Overwrite(overwrite) = &transform.about.materialized else {
            return Ok(whole);
        };
        // A day is best: files are left out by it. By another column each part reads everything, so they are larger.
        let (days, others): (Vec<_>, Vec<_>) = overwrite.key.iter().partition(|column| column.ends_with("_on"));
        let (day, id) = (days.first().map(|day| day.as_str()), others.first());
        let (all, most) = match (day, id) {
            (None, Some(id)) => (changed(transform, overwrite, id), WIDE_PART_ROWS),
            _ => {
                let all = self.touching(transform, overwrite, &Position::default(), &moment.position());
                (all, PART_ROWS)
            }
        };
        let Some(all) = all else {
            return Ok(whole);
        };
        // Ids are too many to be counted; they end in what chance has made of them.
        let end = id.map(|id| format!("right({id}, 2)"));
        let by: Vec<&str> = [day, end.as_deref()].into_iter().flatten().collect();
        let ranges = ranges(moment, &all, "true", &by, most).await?;
        if ranges.len() < 2 {
            return Ok(whole);
        }
        let parts = ranges.iter().map(|range| self.where_touched(transform, range));
        Ok(parts.collect())
    }

    /// Which keys of an overwrite rows after a position touch.
    pub(crate) async fn touched(
        &self,
        transform: &Transform,
        overwrite: &Overwrite,
        after: &Position,
        moment: &Moment,
    ) -> Result<Touched> {
        let mut columns = BTreeMap::new();
        let Some(all) = self.touching(transform, overwrite, after, &moment.position()) else {
            return Ok(Touched { columns });
        };
        for column in &overwrite.key {
            let sql = format!("select distinct arrow_cast({column}, 'Utf8') from ({all}) where {column} is not null");
            let values: BTreeSet<String> = moment.texts(&sql).await?.into_iter().collect();
            let query = format!("select {column} from ({all})");
            columns.insert(column.clone(), TouchedColumn { values, query });
        }
        Ok(Touched { columns })
    }

    /// The rows of a transform whose keys were touched.
    pub(crate) fn where_touched(&self, transform: &Transform, predicate: &str) -> String {
        let (columns, whole) = (transform.column_list(), self.whole(transform));
        format!("select {columns} from ({whole}) where {predicate}")
    }
}

/// Keys that new rows have touched: every combination of these values.
pub(crate) struct Touched {
    columns: BTreeMap<String, TouchedColumn>,
}

struct TouchedColumn {
    values: BTreeSet<String>,
    query: String,
}

impl Touched {
    /// True of the rows whose keys were touched; None if there can't be any.
    pub(crate) fn predicate(&self) -> Option<String> {
        if self.columns.is_empty() || self.columns.values().any(|column| column.values.is_empty()) {
            return None;
        }
        let all = self.columns.iter().map(|(name, column)| {
            if column.values.len() > MOST_LISTED {
                return format!(
                    "{name} in (select {name} from ({}) where {name} is not null)",
                    column.query
                );
            }
            let values = column.values.iter().map(|value| quoted(value));
            format!("{name} in ({})", values.collect::<Vec<_>>().join(", "))
        });
        Some(all.collect::<Vec<_>>().join(" and "))
    }

    pub(crate) fn into_values(self) -> BTreeMap<String, BTreeSet<String>> {
        let columns = self.columns.into_iter();
        columns.map(|(name, column)| (name, column.values)).collect()
    }

    pub(crate) fn keys(&self) -> usize {
        self.columns
            .values()
            .map(|column| column.values.len())
            .max()
            .unwrap_or(0)
    }
}

/// The values of a key's column, one for each change that has it.
fn changed(transform: &Transform, overwrite: &Overwrite, column: &str) -> Option<String> {
    let plain = |source: &&Source| source.has_seq() && !overwrite.touched.contains_key(&source.table);
    let sources = transform.sources.iter().filter(plain);
    let queries: Vec<String> = sources
        .map(|source| format!("select {column} from lake.{}", source.table))
        .collect();
    (!queries.is_empty()).then(|| queries.join(" union all "))
}

/// Predicates that divide the rows `within` one by ranges of the first expression, and those of a value that alone has more
/// than `most` by the next one.
async fn ranges(moment: &Moment, all: &str, within: &str, by: &[&str], most: i64) -> Result<Vec<String>> {
    let Some((column, next)) = by.split_first() else {
        return Ok(vec![within.to_owned()]);
    };
    let sql = format!(
        "select arrow_cast({column}, 'Utf8') as value, count(*) as rows from ({all})
        where {within} and {column} is not null group by 1 order by 1"
    );
    let range = |after: &Option<String>, up_to: &Option<String>| {
        let after = after.iter().map(|value| format!("{column} > {value}"));
        let up_to = up_to.iter().map(|value| format!("{column} <= {value}"));
        let all: Vec<String> = std::iter::once(within.to_owned()).chain(after).chain(up_to).collect();
        all.join(" and ")
    };
    let (mut found, mut sum) = (Vec::new(), 0);
    let (mut after, mut last) = (None, None);
    for batch in moment.rows(&sql).await? {
        let (values, counts) = (
            batch.column(0).as_string::<i32>(),
            batch.column(1).as_primitive::<Int64Type>(),
        );
        for (value, rows) in values.iter().zip(counts.values()) {
            let value = value.map(quoted);
            if sum > 0 && sum + rows > most {
                found.push(range(&after, &last));
                (after, sum) = (last, 0);
            }
            if *rows > most && !next.is_empty() {
                let alone = format!("{within} and {column} = {}", value.as_deref().unwrap_or_default());
                found.extend(Box::pin(ranges(moment, all, &alone, next, most)).await?);
                after.clone_from(&value);
            } else {
                sum += rows;
            }
            last = value;
        }
    }
    // Open, since what is counted need not have every value.
    found.push(range(&after, &None));
    Ok(found)
}

/// A text as SQL writes it.
pub(crate) fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn kept_rows(transform: &Transform) -> String {
    format!(
        "select {} from {KEPT}.\"{}\"",
        transform.column_list(),
        transform.table()
    )
}

/// The kept rows of small files.
pub(crate) fn small_rows(transform: &Transform) -> String {
    format!(
        "select {} from {KEPT}.\"{}$small\"",
        transform.column_list(),
        transform.table()
    )
}

/// Rows of a rollup from several places as one.
pub(crate) fn merged(transform: &Transform, parts: &[String]) -> String {
    let columns = transform.about.columns.iter().map(|column| match column.merge {
        Some(merge) => format!("{}({name}) as {name}", merge.function(), name = column.name),
        None => column.name.clone(),
    });
    let grain = transform.about.columns.iter().filter(|column| column.merge.is_none());
    format!(
        "select {} from ({}) group by {}",
        columns.collect::<Vec<_>>().join(", "),
        parts.join(" union all "),
        grain.map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    )
}
