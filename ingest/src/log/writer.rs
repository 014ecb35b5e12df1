//! The one writer of a partition: a thread, since all it does is wait for the disk. Appends that arrive while it waits
//! share the next write and its fsync.

use super::{
    LogError,
    frame::{self, HEADER},
    partition::Partition,
};
use domain::Timestamp;
use std::{
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
    sync::Arc,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

/// A write isn't made larger than this by taking more appends along; a reader has to take in a whole one.
const GROUP_BYTES: usize = 4 << 20;

/// Encoded records that wait to be written.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) body: Vec<u8>,
    pub(super) count: u32,
    pub(super) answer: oneshot::Sender<Result<u64, LogError>>,
    /// Room in the queue, given back when this is dropped.
    pub(super) _room: OwnedSemaphorePermit,
}

pub(super) struct Writer {
    partition: Arc<Partition>,
    appended: watch::Sender<u64>,
    segment_bytes: u64,
    file: File,
    path: PathBuf,
    len: u64,
    /// Something may stand after `len`, because a write failed half-way.
    torn: bool,
}

impl Writer {
    pub(super) fn open(
        partition: Arc<Partition>,
        appended: watch::Sender<u64>,
        segment_bytes: u64,
    ) -> Result<Self, LogError> {
        let (path, len) = partition.active()?;
        let file = open_to_write(&path)?;
        Ok(Self {
            partition,
            appended,
            segment_bytes,
            file,
            path,
            len,
            torn: false,
        })
    }

    /// Writes what arrives until all senders are gone.
    pub(super) fn run(mut self, mut arriving: mpsc::Receiver<Append>) {
        let mut frame = Vec::new();
        while let Some(first) = arriving.blocking_recv() {
            frame.clear();
            frame.resize(HEADER, 0);
            frame.extend_from_slice(&first.body);
            let mut group = vec![first];
            while frame.len() < GROUP_BYTES
                && let Ok(append) = arriving.try_recv()
            {
                frame.extend_from_slice(&append.body);
                group.push(append);
            }
            self.write_group(&mut frame, group);
            // One huge append must not hold its memory for ever.
            frame.shrink_to(GROUP_BYTES);
        }
    }

    fn write_group(&mut self, frame: &mut [u8], group: Vec<Append>) {
        let base = self.partition.end();
        let count = group.iter().map(|append| append.count).sum();
        frame::seal(frame, base, count, Timestamp::now());
        let written = self.write(frame);
        if written.is_ok() {
            self.partition.grow(frame.len() as u64, base + u64::from(count));
            self.appended.send_modify(|n| *n = n.wrapping_add(1));
        }
        let mut offset = base;
        for append in group {
            // Who asked may have gone; the records are written all the same.
            let _ = append.answer.send(written.clone().map(|()| offset));
            offset += u64::from(append.count);
        }
    }

    /// Makes a frame durable, or leaves the file as it was.
    fn write(&mut self, frame: &[u8]) -> Result<(), LogError> {
        self.mend()?;
        if self.len > 0 && self.len + frame.len() as u64 > self.segment_bytes {
            let path = self.partition.roll()?;
            self.file = open_to_write(&path)?;
            self.path = path;
            self.len = 0;
        }
        self.torn = true;
        let written = self
            .file
            .seek(SeekFrom::Start(self.len))
            .and_then(|_| self.file.write_all(frame))
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            let error = LogError::io(&self.path, error);
            tracing::error!(%error, "an append to the log failed");
            // If this fails too, the next append tries again before it writes.
            let _ = self.mend();
            return Err(error);
        }
        self.torn = false;
        self.len += frame.len() as u64;
        Ok(())
    }

    /// Cuts off what a failed write left.
    fn mend(&mut self) -> Result<(), LogError> {
        if self.torn {
            let cut = self.file.set_len(self.len).and_then(|()| self.file.sync_all());
            cut.map_err(|error| LogError::io(&self.path, error))?;
            self.torn = false;
        }
        Ok(())
    }
}

fn open_to_write(path: &PathBuf) -> Result<File, LogError> {
    OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(|error| LogError::io(path, error))
}
