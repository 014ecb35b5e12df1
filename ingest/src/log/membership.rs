//! How several sinks share a log's partitions.

use async_trait::async_trait;
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::watch;

/// A partition of a topic.
pub type Partitions = BTreeSet<(String, u32)>;

/// A member of a group whose members have each partition given to one of them.
///
/// What is given may be taken away again at any moment, and for a while two members may both believe to have it: whoever
/// writes what it reads must not rely on this alone.
#[async_trait]
pub trait Membership: Send + Sync {
    /// The partitions that are this member's now.
    fn assigned(&self) -> watch::Receiver<Arc<Partitions>>;

    /// Tells the group how far partitions are done (the next offset of each). It is for tools that show lag; nobody
    /// begins to read there.
    async fn record(&self, next: &[(String, u32, u64)]);

    /// Gives the partitions back, so that the others have them at once.
    async fn leave(self: Box<Self>);
}

/// The one reader of a log that no other process can open.
pub(super) struct Alone(watch::Sender<Arc<Partitions>>);

impl Alone {
    pub(super) fn with(partitions: Partitions) -> Self {
        Self(watch::Sender::new(Arc::new(partitions)))
    }
}

#[async_trait]
impl Membership for Alone {
    fn assigned(&self) -> watch::Receiver<Arc<Partitions>> {
        self.0.subscribe()
    }

    async fn record(&self, _next: &[(String, u32, u64)]) {}

    async fn leave(self: Box<Self>) {}
}
