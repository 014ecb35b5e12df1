//! One Delta table on disk: opening it, reading where it stands, writing files and committing them.

mod create;

use crate::{
    cache::{CachedFiles, FileCache},
    error::{Error, Result},
    layout::Layout,
    options::LakeOptions,
    remote::Remote,
    snapshot::{DataFile, Offsets, Snapshot, offset_of, transaction},
    tables::TableSpec,
};
use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use deltalake::{
    DeltaTable, DeltaTableError, ObjectStore, ObjectStoreError, Path,
    datafile::writer::{DeltaWriter, WriterConfig},
    kernel::{
        Action, Add, Remove, StructType, Transaction,
        engine::arrow_conversion::{TryIntoArrow, TryIntoKernel},
        new_metadata,
        transaction::CommitData,
    },
    logstore::{
        commit_uri_from_version, get_actions,
        object_store::{ObjectStoreExt, PutMode},
    },
    protocol::DeltaOperation,
};
use domain::Timestamp;
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    num::NonZeroU64,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use url::Url;

pub(crate) use create::table_url;
use create::{configuration, create, local_folder, widen};

/// Commits lost to other writers before we give up for now; each one brings us closer to the table's end.
const MAX_ATTEMPTS: usize = 30;

/// More partitions than a topic is ever given.
const MAX_PARTITIONS: u32 = 64;

/// Files of computed rows: a run writes again those that hold what it replaces.
const KEPT_FILE_BYTES: u64 = 8 << 20;

/// The key under which a commit carries its writer's mark, so that a commit whose answer was lost is known again.
const MARK: &str = "biltenCommit";

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) spec: &'static TableSpec,
    pub(crate) url: Url,
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// Keeps what is read of a remote lake's files.
    cache: Option<Arc<FileCache>>,
    /// Where the files are, if they are on this machine.
    local: Option<PathBuf>,
    pub(crate) schema: SchemaRef,
    layout: Layout,
    pipeline: String,
    fsync: bool,
    /// Entries of the table's log that are older may be gone.
    log_retention: Duration,
    remote: Remote,
    /// How large its files become.
    file_bytes: Option<NonZeroU64>,
}

/// What one commit does. It keeps its mark through retries.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) adds: Vec<Add>,
    pub(crate) removes: Vec<Remove>,
    /// For each partition whose rows it adds: the offset that the table has without it, and with it.
    pub(crate) moves: Moves,
    pub(crate) operation: DeltaOperation,
    /// New columns, for a commit that replaces all rows.
    pub(crate) metadata: Option<Action>,
    mark: String,
}

/// (from, to) of each (topic, partition).
pub(crate) type Moves = BTreeMap<(String, u32), (u64, u64)>;

/// How a commit ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Committed(Snapshot),
    /// Another process has committed for one of its partitions: its rows may be there already, in part or as a whole.
    Overtaken(Snapshot),
}

/// A table after commits of others.
pub(crate) struct Newer {
    pub(crate) snapshot: Snapshot,
    /// The commit that was looked for is among them.
    pub(crate) has_mark: bool,
}

impl Commit {
    pub(crate) fn new(adds: Vec<Add>, removes: Vec<Remove>, moves: Moves, operation: DeltaOperation) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let nanos = chrono::Utc::now().timestamp_nanos_opt().unwrap_or_default();
        let mark = format!(
            "{}-{nanos}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        Self {
            adds,
            removes,
            moves,
            operation,
            metadata: None,
            mark,
        }
    }
}

impl Store {
    /// Opens the table, or creates it.
    pub(crate) async fn open(
        lake: &Remote,
        spec: &'static TableSpec,
        options: &LakeOptions,
        cache: Option<Arc<FileCache>>,
    ) -> Result<(Self, Snapshot)> {
        let url = table_url(&lake.url, spec.name)?;
        if let Some(path) = local_folder(&url) {
            tokio::fs::create_dir_all(path).await?;
        }
        let schema = spec.stored_schema();
        let table = match lake.table(&url)?.load().await {
            Ok(table) => table,
            Err(DeltaTableError::NotATable(_)) => {
                match create(lake.table(&url)?.build()?, spec, &schema, options).await {
                    Ok(table) => table,
                    // Two processes that start together both find nothing.
                    Err(error) => lake.table(&url)?.load().await.map_err(|_| error)?,
                }
            }
            Err(error) => return Err(error.into()),
        };
        let table = match widen(table, spec, &schema).await {
            Ok(table) => table,
            Err(error @ Error::Unsupported(_)) => return Err(error),
            Err(_) => widen(lake.table(&url)?.load().await?, spec, &schema).await?,
        };
        Self::of(lake, &table, spec, options, cache).await
    }

    /// A table of computed rows as it is stored, if there is one.
    pub(crate) async fn find(
        lake: &Remote,
        name: &str,
        options: &LakeOptions,
        cache: Option<Arc<FileCache>>,
    ) -> Result<Option<(Self, Snapshot)>> {
        let url = table_url(&lake.url, name)?;
        if local_folder(&url).is_some_and(|folder| !folder.exists()) {
            return Ok(None);
        }
        let table = match lake.table(&url)?.load().await {
            Ok(table) => table,
            Err(DeltaTableError::NotATable(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let schema: Schema = table.snapshot()?.schema().as_ref().try_into_arrow()?;
        let spec = TableSpec::kept(name, Arc::new(schema));
        Self::of(lake, &table, spec, options, cache).await.map(Some)
    }

    async fn of(
        lake: &Remote,
        table: &DeltaTable,
        spec: &'static TableSpec,
        options: &LakeOptions,
        cache: Option<Arc<FileCache>>,
    ) -> Result<(Self, Snapshot)> {
        let url = table_url(&lake.url, spec.name)?;
        let store = Self {
            spec,
            objects: table.log_store().object_store(None),
            cache,
            local: local_folder(&url),
            url,
            schema: spec.stored_schema(),
            layout: options.layout.clone(),
            pipeline: options.pipeline.clone(),
            fsync: options.fsync,
            log_retention: options.log_retention,
            remote: lake.clone(),
            file_bytes: spec
                .partitioned_by
                .is_empty()
                .then_some(KEPT_FILE_BYTES)
                .and_then(NonZeroU64::new),
        };
        let snapshot = store.snapshot(table).await?;
        Ok((store, snapshot))
    }

    /// The same table with other columns, for a commit that replaces all of its rows.
    pub(crate) fn with_schema(&self, schema: SchemaRef) -> Self {
        let spec = TableSpec::kept(self.spec.name, schema);
        Self {
            spec,
            schema: spec.stored_schema(),
            url: self.url.clone(),
            objects: Arc::clone(&self.objects),
            cache: self.cache.clone(),
            local: self.local.clone(),
            pipeline: self.pipeline.clone(),
            layout: self.layout.clone(),
            fsync: self.fsync,
            log_retention: self.log_retention,
            remote: self.remote.clone(),
            file_bytes: self.file_bytes,
        }
    }

    /// A delta-rs table for what the hot path doesn't do: checkpoints, vacuum, history.
    pub(crate) async fn delta_table(&self) -> Result<DeltaTable> {
        Ok(self.remote.table(&self.url)?.load().await?)
    }

    /// Where queries read files.
    pub(crate) fn files(&self) -> Arc<dyn ObjectStore> {
        match &self.cache {
            Some(cache) => Arc::new(CachedFiles::new(
                self.spec.name,
                Arc::clone(&self.objects),
                Arc::clone(cache),
            )),
            None => Arc::clone(&self.objects),
        }
    }

    /// Lets go of cached files that the newer snapshot no longer names.
    pub(crate) fn forget_cached(&self, before: &Snapshot, after: &Snapshot) {
        let Some(cache) = &self.cache else { return };
        let kept: HashSet<&str> = after.files.iter().map(|file| file.add.path.as_str()).collect();
        let paths = before.files.iter().map(|file| file.add.path.as_str());
        for path in paths.filter(|path| !kept.contains(path)) {
            cache.forget(self.spec.name, path);
        }
    }

    pub(crate) fn forget_file(&self, path: &str) {
        if let Some(cache) = &self.cache {
            cache.forget(self.spec.name, path);
        }
    }

    /// What a commit says that gives the table the columns of this store.
    pub(crate) fn metadata(&self, options: &LakeOptions) -> Result<Action> {
        let columns: StructType = self.schema.as_ref().try_into_kernel()?;
        let settings = configuration(self.spec, options);
        let settings = settings.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let partitions = self.spec.partitioned_by.iter().copied();
        let metadata = new_metadata(&columns, partitions, settings).map_err(DeltaTableError::from)?;
        Ok(Action::Metadata(metadata))
    }

    async fn snapshot(&self, table: &DeltaTable) -> Result<Snapshot> {
        let state = table.snapshot()?;
        let version = state.version();
        let data = state.log_data();
        #[expect(deprecated, reason = "the arrays it is to be replaced by have no statistics as text")]
        let adds = data.iter().map(|file| file.add_action());
        Ok(Snapshot {
            version,
            files: adds
                .map(|add| DataFile::new(add, &self.schema).map(Arc::new))
                .collect::<Result<_>>()?,
            offsets: self.offsets(table).await?,
            read_at: Timestamp::now(),
        })
    }

    /// Every commit of ours carries all offsets, so the newest of ours tells them.
    async fn offsets(&self, table: &DeltaTable) -> Result<Offsets> {
        let state = table.snapshot()?;
        for version in (0..=state.version()).rev() {
            let Some(actions) = self.actions(version).await? else {
                break;
            };
            let transactions = actions.iter().filter_map(|action| match action {
                Action::Txn(txn) => offset_of(txn, &self.pipeline),
                _ => None,
            });
            let offsets: Offsets = transactions.collect();
            if !offsets.is_empty() || version == 0 {
                return Ok(offsets);
            }
        }
        // The log was cleaned up behind commits of others: the checkpoint knows, one partition at a time.
        let mut offsets = Offsets::new();
        for partition in 0..MAX_PARTITIONS {
            let ours = transaction(&self.pipeline, self.spec.name, self.spec.topic, partition, 0);
            let stored = state
                .transaction_version(table.log_store().as_ref(), &ours.app_id)
                .await?;
            offsets.extend(stored.and_then(|next| offset_of(&Transaction { version: next, ..ours }, &self.pipeline)));
        }
        Ok(offsets)
    }

    /// The actions of one version, if that version is there.
    pub(crate) async fn actions(&self, version: u64) -> Result<Option<Vec<Action>>> {
        match self.objects.get(&commit_uri_from_version(Some(version))).await {
            Ok(found) => Ok(Some(get_actions(version, &found.bytes().await?)?)),
            Err(ObjectStoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the batches (of the stored schema) as Parquet files that no commit names yet.
    pub(crate) async fn write(&self, batches: &[RecordBatch]) -> Result<Vec<Add>> {
        let mut writer = self.writer();
        for batch in batches {
            writer.write(batch).await?;
        }
        self.finish(writer).await
    }

    pub(crate) fn writer(&self) -> DeltaWriter {
        let config = WriterConfig::new(
            Arc::clone(&self.schema),
            self.spec.partitioned_by.iter().map(ToString::to_string).collect(),
            Some(self.layout.writer_properties(self.spec)),
            self.file_bytes,
            None,
            Default::default(),
            Some(self.spec.statistics.clone()),
        );
        DeltaWriter::new(Arc::clone(&self.objects), config)
    }

    pub(crate) async fn finish(&self, writer: DeltaWriter) -> Result<Vec<Add>> {
        let adds = writer.close().await?;
        let paths: Vec<Path> = adds.iter().map(|add| Path::from(add.path.as_str())).collect();
        self.sync(paths).await?;
        Ok(adds)
    }

    /// Commits on top of `base`, or of what others have committed meanwhile.
    pub(crate) async fn commit(&self, base: &Snapshot, commit: &Commit) -> Result<Outcome> {
        let mut latest = base.clone();
        // Versions behind the log's retention may have left it, and then their numbers look free.
        if Timestamp::now().since(base.read_at) > self.log_retention / 2 {
            latest = self.snapshot(&self.delta_table().await?).await?;
        }
        for _ in 0..MAX_ATTEMPTS {
            if self.is_overtaken(&latest, commit)? {
                return Ok(Outcome::Overtaken(latest));
            }
            let version = latest.version + 1;
            let path = commit_uri_from_version(Some(version));
            let (body, actions) = self.encode(commit, &latest.offsets)?;
            match self.objects.put_opts(&path, body.into(), PutMode::Create.into()).await {
                Ok(_) => {
                    self.sync(vec![path]).await?;
                    let after = latest.after(version, &actions, &self.schema, &self.pipeline)?;
                    return Ok(Outcome::Committed(after));
                }
                // Another's commit, or our own whose answer was lost.
                Err(ObjectStoreError::AlreadyExists { .. }) => {
                    let newer = self.newer(&latest, Some(&commit.mark), |_| true).await?;
                    if newer.has_mark {
                        return Ok(Outcome::Committed(newer.snapshot));
                    }
                    latest = newer.snapshot;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Unavailable(format!("{}: too many writers", self.spec.name)))
    }

    /// The table after the commits that follow `base`, up to the first that is not `wanted`.
    pub(crate) async fn newer(
        &self,
        base: &Snapshot,
        mark: Option<&str>,
        wanted: impl Fn(&Snapshot) -> bool,
    ) -> Result<Newer> {
        let mut newer = Newer {
            snapshot: base.clone(),
            has_mark: false,
        };
        loop {
            let version = newer.snapshot.version + 1;
            let Some(actions) = self.actions(version).await? else {
                newer.snapshot.read_at = Timestamp::now();
                return Ok(newer);
            };
            let next = newer.snapshot.after(version, &actions, &self.schema, &self.pipeline)?;
            if !wanted(&next) {
                return Ok(newer);
            }
            newer.snapshot = next;
            newer.has_mark |= mark.is_some_and(|mark| is_marked(&actions, mark));
        }
    }

    /// Whether another process has committed for one of the commit's partitions since its rows were put together.
    fn is_overtaken(&self, latest: &Snapshot, commit: &Commit) -> Result<bool> {
        let removed = commit.removes.iter().map(|remove| remove.path.clone()).collect();
        if !latest.holds_all(&removed) {
            return Err(Error::Unavailable("another compaction was faster".to_owned()));
        }
        let stored = |key| latest.offsets.get(key).copied().unwrap_or(0);
        Ok(commit.moves.iter().any(|(key, (from, _))| stored(key) != *from))
    }

    /// Every commit tells all offsets of the table, so that the newest one tells them to whoever opens it.
    fn encode(&self, commit: &Commit, stored: &Offsets) -> Result<(bytes::Bytes, Vec<Action>)> {
        let mut offsets = stored.clone();
        offsets.extend(commit.moves.iter().map(|(key, (_, to))| (key.clone(), *to)));
        let adds = commit.adds.iter().cloned().map(Action::Add);
        let removes = commit.removes.iter().cloned().map(Action::Remove);
        let transactions = offsets
            .iter()
            .map(|((topic, partition), next)| transaction(&self.pipeline, self.spec.name, topic, *partition, *next));
        let metadata = HashMap::from([(MARK.to_owned(), Value::String(commit.mark.clone()))]);
        let data = CommitData::new(
            commit.metadata.iter().cloned().chain(removes).chain(adds).collect(),
            commit.operation.clone(),
            metadata,
            transactions.collect(),
        );
        let body = data.get_bytes().map_err(DeltaTableError::from)?;
        Ok((body, data.actions))
    }

    /// Forces files and their folders to the disk: the log may forget what a commit holds.
    async fn sync(&self, paths: Vec<Path>) -> Result<()> {
        let Some(root) = self.local.clone().filter(|_| self.fsync) else {
            return Ok(());
        };
        let synced = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
            let mut folders = std::collections::BTreeSet::new();
            for path in paths {
                let file = root.join(path.as_ref());
                std::fs::File::open(&file)?.sync_all()?;
                // The day's folder may be new, and then its own name has to be kept too.
                folders.extend(
                    file.ancestors()
                        .skip(1)
                        .take_while(|folder| folder.starts_with(&root))
                        .map(PathBuf::from),
                );
            }
            folders
                .iter()
                .try_for_each(|folder| std::fs::File::open(folder)?.sync_all())
        });
        Ok(synced.await.map_err(|error| Error::Unavailable(error.to_string()))??)
    }
}

fn is_marked(actions: &[Action], mark: &str) -> bool {
    actions.iter().any(|action| match action {
        Action::CommitInfo(info) => info.info.get(MARK).and_then(Value::as_str) == Some(mark),
        _ => false,
    })
}
