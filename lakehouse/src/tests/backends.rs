//! Where the suite's lakes are stored.

use crate::remote::Remote;
use bytes::Bytes;
use deltalake::{
    DeltaTable, ObjectStore, Path,
    logstore::object_store::{self, ObjectStoreExt},
};
use futures::{StreamExt, TryStreamExt};
use std::{
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
};
use tempfile::TempDir;

/// A new, empty place for the lake of one test. It goes with the value.
pub(super) trait Backend {
    fn create() -> Self;

    fn url(&self) -> String;
}

pub(super) struct Local(TempDir);

impl Local {
    pub(super) fn folder(&self) -> &std::path::Path {
        self.0.path()
    }
}

impl Backend for Local {
    fn create() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn url(&self) -> String {
        format!("file://{}/lake", self.0.path().display())
    }
}

/// A prefix in the bucket `BILTEN_TEST_S3_BUCKET` on the server that `BILTEN_TEST_S3` names.
pub(super) enum S3 {
    On {
        server: String,
        bucket: String,
        prefix: String,
    },
    /// Without servers, as `BILTEN_EMBEDDED=1` asks for, a test of the suite runs on local files once more.
    LeftOut(Local),
}

impl S3 {
    /// As [`Backend::create`], for a test that makes no sense elsewhere; None if tests that need servers are left out.
    pub(super) fn on_server() -> Option<Self> {
        let found = |name| std::env::var(name).ok();
        let (server, bucket) = match found("BILTEN_TEST_S3").zip(found("BILTEN_TEST_S3_BUCKET")) {
            Some(found) => found,
            None if found("BILTEN_EMBEDDED").is_some_and(|value| value == "1") => {
                println!("left out: it needs an object store, and BILTEN_EMBEDDED=1 leaves the servers out");
                return None;
            }
            None => panic!(
                "this test needs an object store: run `make test`, or start the servers of tests/services and set \
                 BILTEN_TEST_S3 and BILTEN_TEST_S3_BUCKET; BILTEN_EMBEDDED=1 leaves such tests out"
            ),
        };
        Some(Self::On {
            server,
            bucket,
            prefix: format!("test-{:016x}", rand::random::<u64>()),
        })
    }

    /// Where the server listens; None if it is left out.
    pub(super) fn server(&self) -> Option<SocketAddr> {
        let Self::On { server, .. } = self else { return None };
        let (_, address) = server.split_once("://").unwrap();
        address.trim_end_matches('/').to_socket_addrs().unwrap().next()
    }

    /// The lake's address by way of another server, which knows the way to the real one.
    pub(super) fn url_through(&self, server: &str) -> String {
        match self {
            Self::On { bucket, prefix, .. } => format!("s3://{bucket}/{prefix}/lake?endpoint={server}"),
            Self::LeftOut(local) => local.url(),
        }
    }
}

impl Backend for S3 {
    fn create() -> Self {
        Self::on_server().unwrap_or_else(|| Self::LeftOut(Local::create()))
    }

    fn url(&self) -> String {
        match self {
            Self::On { server, .. } => self.url_through(server),
            Self::LeftOut(local) => local.url(),
        }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let Self::On { .. } = self else { return };
        let url = self.url();
        let deleting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let objects = objects(&url);
                let all = objects.list(None).map_ok(|meta| meta.location).boxed();
                objects.delete_stream(all).try_collect::<Vec<Path>>().await
            })
        });
        let _ = deleting.join();
    }
}

/// A table of the lake as delta-rs has it, whether it is there or not. Without a name: the lake itself, for its objects.
pub(super) fn delta(url: &str, table: Option<&str>) -> DeltaTable {
    let remote = Remote::parse(url).unwrap();
    let place = match table {
        Some(table) => crate::store::table_url(&remote.url, table).unwrap(),
        None => remote.url.clone(),
    };
    remote.table(&place).unwrap().build().unwrap()
}

pub(super) fn objects(url: &str) -> Arc<dyn ObjectStore> {
    delta(url, None).log_store().object_store(None)
}

/// The names of the lake's files that begin and end so.
pub(super) async fn names(url: &str, folder: &str, ending: &str) -> Vec<Path> {
    let listed = objects(url)
        .list(Some(&Path::from(folder)))
        .map_ok(|meta| meta.location);
    let all: Vec<Path> = listed.try_collect().await.unwrap();
    all.into_iter().filter(|path| path.as_ref().ends_with(ending)).collect()
}

pub(super) async fn bytes_of(url: &str, path: &Path) -> object_store::Result<Bytes> {
    objects(url).get(path).await?.bytes().await
}
