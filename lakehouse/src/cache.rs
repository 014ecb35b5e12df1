//! Files of a remote lake on the local disk. A lake's Parquet files never change, so a copy is good for as long as a
//! snapshot names it; what was used longest ago makes room.

use crate::lake::lock;
use async_trait::async_trait;
use bytes::Bytes;
use deltalake::{
    ObjectStore, Path,
    logstore::object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStoreExt,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, local::LocalFileSystem,
    },
};
use futures::{StreamExt, stream::BoxStream};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt, fs, io,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::SystemTime,
};
use tokio::io::AsyncWriteExt;

/// Names of files that no version has any more, so that a query that began before does not bring one back for good.
const FORGOTTEN: usize = 20_000;

/// Files that are fetched side by side at most; others wait. A file is fetched once, whoever asks for it.
const FETCHES: usize = 16;

#[derive(Debug)]
pub(crate) struct FileCache {
    folder: PathBuf,
    local: LocalFileSystem,
    limit: u64,
    index: Mutex<Index>,
    fetching: [tokio::sync::Mutex<()>; FETCHES],
}

#[derive(Debug, Default)]
struct Index {
    files: HashMap<String, Cached>,
    bytes: u64,
    clock: u64,
    /// The newest are at the end.
    forgotten: RecentNames,
}

/// A set that lets go of what came first.
#[derive(Debug, Default)]
struct RecentNames {
    order: VecDeque<String>,
    names: HashSet<String>,
}

impl RecentNames {
    fn insert(&mut self, name: String) {
        if self.names.insert(name.clone()) {
            self.order.push_back(name);
        }
        while self.order.len() > FORGOTTEN {
            if let Some(first) = self.order.pop_front() {
                self.names.remove(&first);
            }
        }
    }
}

#[derive(Debug)]
struct Cached {
    bytes: u64,
    used: u64,
}

impl FileCache {
    /// Takes up what an earlier process left in the folder.
    pub(crate) fn open(folder: PathBuf, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut found: Vec<(SystemTime, String, u64)> = Vec::new();
        for table in fs::read_dir(&folder)?.flatten() {
            let Ok(files) = fs::read_dir(table.path()) else {
                continue;
            };
            for file in files.flatten() {
                let (meta, name) = (file.metadata()?, file.file_name().to_string_lossy().into_owned());
                if !name.ends_with(".parquet") {
                    // A fetch that was cut off.
                    fs::remove_file(file.path())?;
                    continue;
                }
                let key = format!("{}/{name}", table.file_name().to_string_lossy());
                found.push((meta.modified()?, key, meta.len()));
            }
        }
        found.sort();
        let local = LocalFileSystem::new_with_prefix(&folder).map_err(io::Error::other)?;
        let cache = Self {
            folder,
            local,
            limit,
            index: Mutex::default(),
            fetching: Default::default(),
        };
        for (_, key, bytes) in found {
            cache.remember(key, bytes);
        }
        Ok(cache)
    }

    /// The name under which a table's file is kept: one folder a table.
    fn key(table: &str, path: &str) -> String {
        format!("{}/{}", table.replace('/', "."), path.replace(['/', '%'], "-"))
    }

    /// Deletes the copy of a file that no version names any more. Queries that began before read it where it is stored.
    pub(crate) fn forget(&self, table: &str, path: &str) {
        let key = Self::key(table, path);
        let mut index = lock(&self.index);
        self.drop_from(&mut index, &key);
        index.forgotten.insert(key);
    }

    /// Deletes what an earlier process left of a table but these files.
    pub(crate) fn keep(&self, table: &str, named: impl Iterator<Item = impl AsRef<str>>) {
        let named: HashSet<String> = named.map(|path| Self::key(table, path.as_ref())).collect();
        let mut index = lock(&self.index);
        let of_table = Self::key(table, "");
        let held = index.files.keys().filter(|key| key.starts_with(&of_table));
        let stale: Vec<String> = held.filter(|key| !named.contains(*key)).cloned().collect();
        for key in stale {
            self.drop_from(&mut index, &key);
        }
    }

    /// Whether the file is here now, fetched if it wasn't.
    async fn hold(&self, key: &str, remote: &dyn ObjectStore, path: &Path) -> Result<bool> {
        if self.touch(key) {
            metrics::counter!("bilten_lake_cache_hits_total").increment(1);
            return Ok(true);
        }
        if lock(&self.index).forgotten.names.contains(key) {
            return Ok(false);
        }
        let place = key
            .bytes()
            .fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(byte))
            % FETCHES;
        let _one_at_a_time = self.fetching[place].lock().await;
        if self.touch(key) {
            return Ok(true);
        }
        let found = remote.get(path).await?;
        let bytes = found.meta.size;
        // One that would push out half of the rest is read where it is.
        if bytes > self.limit / 2 {
            return Ok(false);
        }
        metrics::counter!("bilten_lake_cache_misses_total").increment(1);
        if let Err(error) = self.write(key, found.into_stream()).await {
            tracing::warn!(%error, "a file can't be kept in the cache; it is read from where it is stored");
            // What there is of it would take room that nobody counts.
            let _ = tokio::fs::remove_file(self.folder.join(format!("{key}.part"))).await;
            return Ok(false);
        }
        self.remember(key.to_owned(), bytes);
        Ok(true)
    }

    async fn write(&self, key: &str, mut bytes: BoxStream<'static, Result<Bytes>>) -> io::Result<()> {
        let (file, part) = (self.folder.join(key), self.folder.join(format!("{key}.part")));
        if let Some(folder) = file.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let mut writing = tokio::fs::File::create(&part).await?;
        while let Some(chunk) = bytes.next().await {
            writing.write_all(&chunk.map_err(io::Error::other)?).await?;
        }
        writing.flush().await?;
        tokio::fs::rename(&part, &file).await
    }

    fn touch(&self, key: &str) -> bool {
        let mut index = lock(&self.index);
        index.clock += 1;
        let clock = index.clock;
        index.files.get_mut(key).map(|cached| cached.used = clock).is_some()
    }

    fn remember(&self, key: String, bytes: u64) {
        let mut index = lock(&self.index);
        index.clock += 1;
        let used = index.clock;
        index.bytes += bytes;
        let forgotten = index.forgotten.names.contains(&key);
        index.files.insert(key.clone(), Cached { bytes, used });
        if forgotten {
            // Meanwhile it has left the table.
            self.drop_from(&mut index, &key);
        }
        while index.bytes > self.limit {
            let oldest = index.files.iter().min_by_key(|(_, cached)| cached.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            self.drop_from(&mut index, &oldest);
        }
    }

    /// A reader that has the file open keeps it until it is done.
    fn drop_from(&self, index: &mut Index, key: &str) {
        if let Some(cached) = index.files.remove(key) {
            index.bytes -= cached.bytes;
            if let Err(error) = fs::remove_file(self.folder.join(key)) {
                tracing::warn!(%error, "a cached file can't be removed");
            }
        }
    }
}

/// A table's files, read through the cache. What is no data file, and every write, goes straight to the store.
#[derive(Debug)]
pub(crate) struct CachedFiles {
    table: &'static str,
    remote: Arc<dyn ObjectStore>,
    cache: Arc<FileCache>,
}

impl CachedFiles {
    pub(crate) fn new(table: &'static str, remote: Arc<dyn ObjectStore>, cache: Arc<FileCache>) -> Self {
        Self { table, remote, cache }
    }

    async fn local(&self, path: &Path) -> Result<Option<Path>> {
        if path.extension() != Some("parquet") {
            return Ok(None);
        }
        let key = FileCache::key(self.table, path.as_ref());
        let here = self.cache.hold(&key, &*self.remote, path).await?;
        Ok(here.then(|| Path::from(key)))
    }
}

impl fmt::Display for CachedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} through {}", self.remote, self.cache.folder.display())
    }
}

#[async_trait]
impl ObjectStore for CachedFiles {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if let Some(local) = self.local(path).await?
            && let Ok(found) = self.cache.local.get_opts(&local, options.clone()).await
        {
            return Ok(found);
        }
        self.remote.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if let Some(local) = self.local(path).await?
            && let Ok(found) = self.cache.local.get_ranges(&local, ranges).await
        {
            return Ok(found);
        }
        self.remote.get_ranges(path, ranges).await
    }

    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.remote.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.remote.put_multipart_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.remote.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.remote.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.remote.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.remote.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deltalake::logstore::object_store::memory::InMemory;

    async fn files(limit: u64, folder: &std::path::Path) -> (Arc<InMemory>, CachedFiles) {
        let remote = Arc::new(InMemory::new());
        for name in ["a", "b", "c"] {
            let path = Path::from(format!("day=1/{name}.parquet"));
            remote.put(&path, vec![name.as_bytes()[0]; 100].into()).await.unwrap();
        }
        let cache = Arc::new(FileCache::open(folder.to_owned(), limit).unwrap());
        let files = CachedFiles::new("orders", remote.clone(), cache);
        (remote, files)
    }

    async fn read(files: &CachedFiles, name: &str) -> Option<Bytes> {
        let path = Path::from(format!("day=1/{name}.parquet"));
        files.get_range(&path, 10..13).await.ok()
    }

    #[tokio::test]
    async fn a_file_is_fetched_once_and_the_one_used_longest_ago_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let (remote, files) = files(250, folder.path()).await;
        assert_eq!(read(&files, "a").await.unwrap(), "aaa");
        assert_eq!(read(&files, "b").await.unwrap(), "bbb");
        remote.delete(&Path::from("day=1/a.parquet")).await.unwrap();
        remote.delete(&Path::from("day=1/b.parquet")).await.unwrap();
        assert_eq!(read(&files, "a").await.unwrap(), "aaa", "from the cache");
        assert_eq!(read(&files, "c").await.unwrap(), "ccc");
        assert_eq!(read(&files, "a").await.unwrap(), "aaa");
        assert_eq!(read(&files, "b").await, None, "it made room for c");
        // A new process finds what was left.
        let cache = Arc::new(FileCache::open(folder.path().to_owned(), 250).unwrap());
        let again = CachedFiles::new("orders", remote, cache);
        assert_eq!(read(&again, "a").await.unwrap(), "aaa");
        again.cache.forget("orders", "day=1/a.parquet");
        assert_eq!(read(&again, "a").await, None, "forgotten here, deleted there");
    }

    #[tokio::test]
    async fn what_no_version_names_is_not_kept_whoever_still_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let (remote, files) = files(1_000, folder.path()).await;
        let copies = || std::fs::read_dir(folder.path().join("orders")).map_or(0, Iterator::count);
        for name in ["a", "b"] {
            read(&files, name).await.unwrap();
        }
        files.cache.forget("orders", "day=1/a.parquet");
        files.cache.forget("orders", "day=1/c.parquet");
        for name in ["a", "c"] {
            assert!(
                read(&files, name).await.is_some(),
                "a query of an older version goes on"
            );
        }
        assert_eq!(copies(), 1, "b");
        // A new process knows what the tables have now.
        let cache = Arc::new(FileCache::open(folder.path().to_owned(), 1_000).unwrap());
        cache.keep("other", ["day=1/x.parquet"].iter());
        assert_eq!(copies(), 1);
        cache.keep("orders", ["day=1/c.parquet"].iter());
        assert_eq!(copies(), 0);
        let again = CachedFiles::new("orders", remote, cache);
        assert!(read(&again, "b").await.is_some());
    }

    #[tokio::test]
    async fn a_file_too_large_for_the_cache_is_read_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (remote, files) = files(150, folder.path()).await;
        assert_eq!(read(&files, "a").await.unwrap(), "aaa");
        remote.delete(&Path::from("day=1/a.parquet")).await.unwrap();
        assert_eq!(read(&files, "a").await, None);
    }
}
