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
    collections::HashMap,
    fmt, fs, io,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::SystemTime,
};
use tokio::io::AsyncWriteExt;

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
        format!("{table}/{}", path.replace(['/', '%'], "-"))
    }

    pub(crate) fn forget(&self, table: &str, path: &str) {
        self.remove(&Self::key(table, path));
    }

    /// Whether the file is here now, fetched if it wasn't.
    async fn hold(&self, key: &str, remote: &dyn ObjectStore, path: &Path) -> Result<bool> {
        if self.touch(key) {
            metrics::counter!("bilten_lake_cache_hits_total").increment(1);
            return Ok(true);
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
        index.files.insert(key, Cached { bytes, used });
        while index.bytes > self.limit {
            let oldest = index.files.iter().min_by_key(|(_, cached)| cached.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            self.drop_from(&mut index, &oldest);
        }
    }

    fn remove(&self, key: &str) {
        self.drop_from(&mut lock(&self.index), key);
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
    async fn a_file_too_large_for_the_cache_is_read_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (remote, files) = files(150, folder.path()).await;
        assert_eq!(read(&files, "a").await.unwrap(), "aaa");
        remote.delete(&Path::from("day=1/a.parquet")).await.unwrap();
        assert_eq!(read(&files, "a").await, None);
    }
}
