//! Runs: what has come since the last one is computed and committed, together with the position it was computed from.

use crate::{
    answer::{merged, small_rows},
    project::{Materialized, Project, Transform},
};
use lakehouse::{
    Lake, Principal, Result,
    kept::{MANY_SMALL_FILES, Replaces, Revised, Revision},
    relations::{KeptState, Moment, Position},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// So many touched keys, and reading everything once is cheaper than looking for them.
const MOST_KEYS: usize = 20_000;

/// A run that finds nothing of its own among what is new says so in the table when it has looked through so many rows.
/// Between, nothing is written.
const MOST_UNSAID: i64 = 5_000;

/// After a failure a transform rests for twice as long as the attempt took, so that the others have their turns; within
/// these bounds.
const LEAST_REST: Duration = Duration::from_secs(10);
const MOST_REST: Duration = Duration::from_secs(600);

/// What a run did to a transform.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    pub transform: String,
    pub how: How,
    pub took: Duration,
    /// What is kept afterwards.
    pub kept: Option<KeptState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Nothing had changed.
    Unchanged,
    /// Of the touched keys, so many values of the column with most of them.
    Touched(usize),
    Added,
    Rebuilt,
    /// Another process was faster.
    Overtaken,
}

/// What a run does, the queries that compute its rows, and which rows they replace.
type Plan = (How, Vec<String>, Replaces);

/// Computes transforms and commits their rows.
#[derive(Clone)]
pub struct Runner {
    pub(crate) project: Arc<Project>,
    pub(crate) lake: Lake,
    last: Arc<Mutex<BTreeMap<String, Last>>>,
}

/// How a transform's last run here ended.
enum Last {
    /// When it began, and up to where it came.
    Reached(Instant, Position),
    /// When it is tried again.
    Failed(Instant),
}

impl Runner {
    /// Makes the project's transforms part of the lake's SQL.
    pub async fn new(project: Arc<Project>, lake: Lake) -> Self {
        lake.define(project.clone()).await;
        Self {
            project,
            lake,
            last: Arc::default(),
        }
    }

    pub fn project(&self) -> &Project {
        &self.project
    }

    /// The present, as platform staff sees it.
    pub async fn moment(&self) -> Result<Moment> {
        let principal = Principal {
            id: "transforms".to_owned(),
            organizer: None,
            personal_data: true,
        };
        self.lake.moment(&principal).await
    }

    /// Brings every kept transform up to the present, each as of its own moment.
    pub async fn run(&self, whole: bool) -> Result<Vec<Ran>> {
        let mut done = Vec::new();
        for transform in self.project.transforms().iter().filter(|transform| transform.is_kept()) {
            done.push(self.run_transform(transform, whole).await?);
        }
        Ok(done)
    }

    /// Runs what has something new since its last run here, and the tables whose time it is. One that fails doesn't keep
    /// the others from theirs.
    pub async fn run_due(&self) -> Vec<(String, Result<Ran>)> {
        let mut done = Vec::new();
        for transform in self.project.transforms().iter().filter(|transform| transform.is_kept()) {
            if let Some(ran) = self.run_if_due(transform).await.transpose() {
                done.push((transform.name.clone(), ran));
            }
        }
        done
    }

    async fn run_if_due(&self, transform: &Transform) -> Result<Option<Ran>> {
        let started = Instant::now();
        let moment = self.moment().await?;
        if !self.is_due(transform, &moment) {
            return Ok(None);
        }
        let ran = self.ran(transform, &moment, false).await;
        let last = match &ran {
            Ok(_) => Last::Reached(started, moment.position()),
            Err(_) => Last::Failed(Instant::now() + rest(started.elapsed())),
        };
        self.last().insert(transform.name.clone(), last);
        ran.map(Some)
    }

    fn is_due(&self, transform: &Transform, moment: &Moment) -> bool {
        let wait = match transform.about.materialized {
            Materialized::Table { every_minutes } => Duration::from_secs(60 * every_minutes),
            _ => Duration::ZERO,
        };
        match self.last().get(&transform.name) {
            None => true,
            Some(Last::Failed(again)) => Instant::now() >= *again,
            Some(Last::Reached(at, reached)) => {
                let has_something_new = *reached != moment.position() && at.elapsed() >= wait;
                has_something_new || self.project.usable(transform, moment).is_none()
            }
        }
    }

    /// How long a transform that has failed is left alone from now on.
    pub fn rest(&self, transform: &str) -> Duration {
        match self.last().get(transform) {
            Some(Last::Failed(again)) => again.saturating_duration_since(Instant::now()),
            _ => Duration::ZERO,
        }
    }

    fn last(&self) -> MutexGuard<'_, BTreeMap<String, Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `whole`: computes every row, whatever is kept.
    pub async fn run_transform(&self, transform: &Transform, whole: bool) -> Result<Ran> {
        self.ran(transform, &self.moment().await?, whole).await
    }

    async fn ran(&self, transform: &Transform, moment: &Moment, whole: bool) -> Result<Ran> {
        let started = Instant::now();
        let (how, kept) = self.run_at(transform, moment, whole).await?;
        Ok(Ran {
            transform: transform.name.clone(),
            how,
            took: started.elapsed(),
            kept,
        })
    }

    pub(crate) async fn run_at(
        &self,
        transform: &Transform,
        moment: &Moment,
        whole: bool,
    ) -> Result<(How, Option<KeptState>)> {
        let kept = self.project.usable(transform, moment);
        let plan = match kept.as_ref().filter(|_| !whole) {
            Some(kept) => self.plan(transform, kept, moment).await?,
            None if self.is_ahead(transform, moment) => return Ok((How::Unchanged, kept)),
            None => Some(self.rebuild(transform, moment).await?),
        };
        let Some((how, rows, replaces)) = plan else {
            return Ok((How::Unchanged, kept));
        };
        let revision = Revision {
            table: transform.table(),
            fingerprint: transform.fingerprint,
            rows: rows.iter().map(|rows| sorted(transform, rows)).collect(),
            replaces,
        };
        match self.lake.revise(moment, revision).await? {
            Revised::Committed(kept) => Ok((how, Some(kept))),
            Revised::Overtaken => Ok((How::Overtaken, None)),
        }
    }

    /// What is kept comes from sources that this process has not read yet; there is nothing to do for it.
    fn is_ahead(&self, transform: &Transform, moment: &Moment) -> bool {
        let kept = self.lake.kept().remove(&transform.table());
        kept.is_some_and(|kept| kept.fingerprint == transform.fingerprint && !moment.position().reaches(&kept.position))
    }

    async fn plan(&self, transform: &Transform, kept: &KeptState, moment: &Moment) -> Result<Option<Plan>> {
        let position = moment.position();
        let idle = unsaid(transform, kept, &position) < MOST_UNSAID;
        match &transform.about.materialized {
            Materialized::View => Ok(None),
            Materialized::Table { .. } if position == kept.position => Ok(None),
            Materialized::Table { .. } => self.rebuild(transform, moment).await.map(Some),
            Materialized::Overwrite(overwrite) => {
                let touched = self
                    .project
                    .touched(transform, overwrite, &kept.position, moment)
                    .await?;
                let Some(predicate) = touched.predicate() else {
                    let nothing = format!("{} where false", small_rows(transform));
                    return Ok((!idle).then_some((How::Unchanged, vec![nothing], Replaces::Nothing)));
                };
                let keys = touched.keys();
                if keys > MOST_KEYS {
                    return self.rebuild(transform, moment).await.map(Some);
                }
                let rows = self.project.where_touched(transform, &predicate);
                let replaces = Replaces::Keys(touched.into_values());
                Ok(Some((How::Touched(keys), vec![rows], replaces)))
            }
            Materialized::Rollup(rollup) => {
                let fresh = self.project.since(transform, rollup, &kept.position, &position);
                let any = moment.rows(&format!("select 1 from ({fresh}) limit 1")).await?;
                if idle && any.iter().all(|batch| batch.num_rows() == 0) {
                    return Ok(None);
                }
                if kept.small_files < MANY_SMALL_FILES {
                    return Ok(Some((How::Added, vec![fresh], Replaces::Nothing)));
                }
                let rows = merged(transform, &[small_rows(transform), fresh]);
                Ok(Some((How::Added, vec![rows], Replaces::SmallFiles)))
            }
        }
    }

    async fn rebuild(&self, transform: &Transform, moment: &Moment) -> Result<Plan> {
        let parts = self.project.in_parts(transform, moment).await?;
        Ok((How::Rebuilt, parts, Replaces::Everything))
    }
}

fn rest(took: Duration) -> Duration {
    (took * 2).clamp(LEAST_REST, MOST_REST)
}

/// How many rows of what it reads have come since.
fn unsaid(transform: &Transform, kept: &KeptState, position: &Position) -> i64 {
    let (changes, interactions) = kept.position.behind(position);
    let reads = |of_changes| transform.sources.iter().any(|source| source.has_seq() == of_changes);
    i64::from(reads(true)) * changes + i64::from(reads(false)) * interactions
}

fn sorted(transform: &Transform, rows: &str) -> String {
    format!(
        "select {} from ({rows}) order by {}",
        transform.column_list(),
        order(transform)
    )
}

/// Files are sorted by whose rows they have, then by what they are looked up by.
fn order(transform: &Transform) -> String {
    let mut columns = vec!["organizer_id"];
    match &transform.about.materialized {
        Materialized::Overwrite(overwrite) => columns.extend(overwrite.key.iter().map(String::as_str)),
        _ => columns.extend(transform.columns().filter(|name| *name == "event_id")),
    }
    columns.join(", ")
}
