//! Every knob of the lake, with defaults for a laptop with two cores.

use crate::layout::Layout;
use std::{path::PathBuf, time::Duration};

#[derive(Clone, Debug)]
pub struct LakeOptions {
    /// Names this writer in the application transactions. Two pipelines never share one.
    pub pipeline: String,
    /// Other processes write to this lake too. Then nothing is committed but rows of the partitions that
    /// [`crate::Lake::own`] names, and what others commit is followed.
    pub shared: bool,
    /// Queries are answered from here, so a commit of others is taken over only when every table has come as far.
    pub answers: bool,
    /// Others' commits are looked for so often where rows wait for them, and ten times as seldom elsewhere.
    pub follow_interval: Duration,
    /// Where files of a remote lake are kept once they were read, up to so many bytes. None: they are read again.
    pub cache: Option<(PathBuf, u64)>,
    /// A table with rows in its tail is committed at least this often.
    pub commit_interval: Duration,
    /// …or as soon as its tail has so many rows,
    pub commit_rows: usize,
    /// …or all tails together so many bytes.
    pub commit_bytes: usize,
    /// `publish` waits while the tails hold more: memory stays bounded when the disk is slow or full.
    pub tail_limit_bytes: usize,
    /// A table without new rows records how far it has come when it lags by so many offsets,
    pub idle_lag_offsets: u64,
    /// …or by so much time: a restart reads the log from there, and the log keeps what comes after.
    pub idle_lag: Duration,
    /// A query that needs more spills to disk where it can. Times `query_slots`, this is what queries take at worst.
    pub query_memory_bytes: usize,
    /// What a run that computes kept rows may take; there is one at a time.
    pub run_memory_bytes: usize,
    /// And how long each of its queries may take. One that waits for itself would hold up all others' runs.
    pub run_timeout: Duration,
    pub query_timeout: Duration,
    /// Queries that run at once; more wait up to `query_queue`, then are told to come back.
    pub query_slots: usize,
    pub query_queue: Duration,
    /// Threads that compute queries, and parts into which each is split.
    pub target_partitions: usize,
    /// Between rounds of [`crate::Lake::maintain`].
    pub maintenance_interval: Duration,
    /// A day that still grows is compacted when it has so many small files. More files make every query slower.
    pub compact_open_files: usize,
    /// The same for a day that is over.
    pub compact_closed_files: usize,
    /// A file of this size is left alone.
    pub compact_target_bytes: u64,
    /// One compaction reads at most so much, so that it can't starve the sink.
    pub compact_run_bytes: u64,
    pub checkpoint_commits: u64,
    /// Files that compaction replaced stay so long, for running queries and for readers from outside.
    pub vacuum_retention: Duration,
    pub log_retention: Duration,
    /// How rows lie in files that are written.
    pub layout: Layout,
    /// Footers of files that are kept in memory: a cold one costs a read of its own.
    pub footer_cache_bytes: usize,
    /// Force files to the disk before a commit counts. Off only where losing power may lose data.
    pub fsync: bool,
}

impl Default for LakeOptions {
    fn default() -> Self {
        Self {
            pipeline: "sink".to_owned(),
            shared: false,
            answers: true,
            follow_interval: Duration::from_millis(500),
            cache: None,
            commit_interval: Duration::from_secs(2),
            commit_rows: 200_000,
            commit_bytes: 48 << 20,
            tail_limit_bytes: 128 << 20,
            idle_lag_offsets: 50_000,
            idle_lag: Duration::from_secs(60),
            query_memory_bytes: 192 << 20,
            run_memory_bytes: 384 << 20,
            run_timeout: Duration::from_secs(15 * 60),
            query_timeout: Duration::from_secs(60),
            query_slots: 6,
            query_queue: Duration::from_secs(10),
            target_partitions: 2,
            maintenance_interval: Duration::from_secs(5),
            compact_open_files: 20,
            compact_closed_files: 5,
            compact_target_bytes: 64 << 20,
            compact_run_bytes: 128 << 20,
            checkpoint_commits: 50,
            vacuum_retention: Duration::from_secs(6 * 3600),
            log_retention: Duration::from_secs(24 * 3600),
            layout: Layout::default(),
            footer_cache_bytes: 64 << 20,
            fsync: true,
        }
    }
}
