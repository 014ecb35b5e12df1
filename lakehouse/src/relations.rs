//! Relations that others define over the lake's tables: a name, and the SQL that answers for it at one moment. Some of
//! them keep rows that a run has computed, and answer with these and what has come since.
//!
//! The lake knows how to keep such rows (see `kept`) and how to plan the SQL behind the wall between organizers. What a
//! relation means, and when it is computed, is its owner's business.

use crate::{
    catalog::Catalog,
    error::{Error, Result},
    kept::KeptTable,
    lake::{Lake, lock},
    session::Principal,
    snapshot::Offsets,
    tables::INTERACTIONS,
    view::View,
};
use arrow::{
    array::{AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, SchemaRef},
};
use async_trait::async_trait;
use datafusion::physical_plan::collect;
use std::{collections::BTreeMap, fmt, sync::Arc};
use tokio_util::task::AbortOnDropHandle;

/// The schemas whose names are a definer's to give.
pub const SCHEMAS: [&str; 3] = ["staging", "intermediate", "marts"];

/// The schema of kept rows. Only the SQL of relations sees it.
pub const KEPT: &str = "kept";

/// Under which a kept table's commits carry the position in the order of changes, and the definition that made its rows.
const SEQ: &str = "seq";
const FINGERPRINT: &str = "fingerprint";

/// Whoever defines relations.
#[async_trait]
pub trait Relations: fmt::Debug + Send + Sync {
    /// The names in one of [`SCHEMAS`].
    fn names(&self, schema: &str) -> Vec<String>;

    /// The tables that keep rows.
    fn kept(&self) -> Vec<String>;

    /// The SQL that answers for a relation at this moment. It may read all schemas, and [`KEPT`].
    async fn answer(&self, schema: &str, name: &str, moment: &Moment) -> Result<Option<String>>;
}

/// A schema, and a name in it.
pub type Name = (String, String);

/// How much of the sources has been read: every change up to `seq`, and every interaction before these offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub seq: i64,
    pub interactions: BTreeMap<u32, u64>,
}

/// What is known of a table's kept rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptState {
    /// What they were computed from.
    pub position: Position,
    /// Names the definition that computed them.
    pub fingerprint: u64,
    pub version: u64,
    pub files: usize,
    pub small_files: usize,
    pub rows: u64,
    pub bytes: u64,
}

/// One view of all tables, as one principal sees it: everything that is asked of it agrees.
#[derive(Clone)]
pub struct Moment {
    pub(crate) catalog: Catalog,
}

impl Lake {
    /// Defines relations, instead of those that were defined before, and finds what is kept of them.
    pub async fn define(&self, relations: Arc<dyn Relations>) {
        *lock(&self.inner.relations) = Some(Arc::clone(&relations));
        crate::kept::find(self, &relations.kept()).await;
    }

    /// The present, for whoever may see everything.
    pub async fn moment(&self, principal: &Principal) -> Result<Moment> {
        let kept = self.inner.kept.load_full();
        let view = self.even_view(self.inner.options.query_timeout).await?;
        let catalog = Catalog::new(self.clone(), kept, view, principal);
        Ok(Moment { catalog })
    }
}

impl Position {
    pub(crate) fn of_view(view: &View) -> Self {
        let interactions = view.seen.iter().filter(|((topic, _), _)| topic == INTERACTIONS);
        Self {
            seq: view.watermark,
            interactions: interactions.map(|((_, partition), next)| (*partition, *next)).collect(),
        }
    }

    pub(crate) fn of_offsets(offsets: &Offsets) -> Self {
        let interactions = offsets.iter().filter(|((topic, _), _)| topic == INTERACTIONS);
        Self {
            seq: number(offsets, SEQ) as i64,
            interactions: interactions.map(|((_, partition), next)| (*partition, *next)).collect(),
        }
    }

    pub(crate) fn to_offsets(&self, fingerprint: u64) -> Offsets {
        let interactions = self.interactions.iter();
        let interactions = interactions.map(|(partition, next)| ((INTERACTIONS.to_owned(), *partition), *next));
        let named = [
            ((SEQ.to_owned(), 0), self.seq.unsigned_abs()),
            ((FINGERPRINT.to_owned(), 0), fingerprint),
        ];
        interactions.chain(named).collect()
    }

    /// How many changes and how many interactions have been read there and not here.
    pub fn behind(&self, other: &Position) -> (i64, i64) {
        let interactions = |position: &Position| position.interactions.values().map(|next| *next as i64).sum::<i64>();
        (other.seq - self.seq, interactions(other) - interactions(self))
    }

    /// Whether everything before `other` has been read here.
    pub fn reaches(&self, other: &Position) -> bool {
        let read = |partition| self.interactions.get(partition).copied().unwrap_or(0);
        self.seq >= other.seq
            && other
                .interactions
                .iter()
                .all(|(partition, next)| read(partition) >= *next)
    }
}

fn number(offsets: &Offsets, name: &str) -> u64 {
    offsets.get(&(name.to_owned(), 0)).copied().unwrap_or(0)
}

pub(crate) fn fingerprint_of(offsets: &Offsets) -> u64 {
    number(offsets, FINGERPRINT)
}

impl KeptState {
    pub(crate) fn of(table: &KeptTable) -> Self {
        let snapshot = &table.snapshot;
        Self {
            position: Position::of_offsets(&snapshot.offsets),
            fingerprint: fingerprint_of(&snapshot.offsets),
            version: snapshot.version,
            files: snapshot.files.len(),
            small_files: table.small_files().count(),
            rows: snapshot.rows(),
            bytes: snapshot.bytes(),
        }
    }
}

impl Moment {
    pub fn position(&self) -> Position {
        Position::of_view(&self.catalog.view)
    }

    /// What is kept of a table. Rows from sources that this view has not seen yet are none: after a crash, or here while
    /// another process is ahead, the answer is computed from what there is.
    pub fn kept(&self, table: &str) -> Option<KeptState> {
        let state = KeptState::of(self.catalog.kept.get(table)?);
        self.position().reaches(&state.position).then_some(state)
    }

    /// The columns that a query answers with.
    pub async fn schema(&self, sql: &str) -> Result<SchemaRef> {
        let plan = self.catalog.plan(sql).await?;
        Ok(Arc::clone(plan.schema().inner()))
    }

    pub async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        let plan = self.catalog.plan(sql).await?;
        let inner = &self.catalog.lake.inner;
        let state = inner
            .engine
            .state(Some(self.catalog.inside()), inner.options.query_memory_bytes)?;
        let work = async move {
            let plan = state.create_physical_plan(&plan).await?;
            Ok(collect(plan, state.task_ctx()).await?)
        };
        // Apart from whoever asks, whose threads have leases and requests to look after.
        let task = AbortOnDropHandle::new(inner.engine.threads()?.spawn(work));
        task.await.map_err(|error| Error::Unavailable(error.to_string()))?
    }

    /// The values of a query's only column.
    pub async fn texts(&self, sql: &str) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        for batch in self.rows(sql).await? {
            let column = cast(batch.column(0), &DataType::Utf8)?;
            texts.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        Ok(texts)
    }

    /// The same moment, with these rows in place of some relations.
    pub fn given(&self, rows: impl IntoIterator<Item = (Name, RecordBatch)>) -> Self {
        Self {
            catalog: self.catalog.given(rows.into_iter().collect()),
        }
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Moment").field(&self.position()).finish()
    }
}
