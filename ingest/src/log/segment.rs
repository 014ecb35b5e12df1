//! One file of a partition: whole frames one after the other, named by the offset of the first.

use super::{
    LogError,
    frame::{self, HEADER, Header},
};
use bytes::Bytes;
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// A reader looks for its offset from the nearest point before it: at most so many bytes to skip.
const INDEX_STEP: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) base: u64,
    pub(super) path: PathBuf,
    /// Bytes that readers may see: whole frames that are durable.
    pub(super) len: u64,
    /// None until the file was read once.
    pub(super) index: Option<Index>,
}

/// Where some of the frames are.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Offset and position, rising.
    points: Vec<(u64, u64)>,
}

/// Records that were durable and can't be read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) position: u64,
    pub(super) offset: u64,
    /// The first offset after them that can be read, and where it stands.
    pub(super) resume: u64,
    pub(super) resume_position: u64,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) index: Index,
    pub(super) damages: Vec<Damage>,
    /// Bytes up to the end of the last whole frame.
    pub(super) len: u64,
    /// Bytes after it, of which no whole frame can be made.
    pub(super) rest: u64,
    /// The offset after the last record.
    pub(super) end: u64,
}

impl Segment {
    pub(super) fn path(folder: &Path, base: u64) -> PathBuf {
        folder.join(format!("{base:020}.log"))
    }

    /// The offset that a file's name says, if it is a segment's.
    pub(super) fn base_of(path: &Path) -> Option<u64> {
        let name = path.file_name()?.to_str()?.strip_suffix(".log")?;
        (name.len() == 20).then(|| name.parse().ok())?
    }
}

impl Index {
    pub(super) fn push(&mut self, offset: u64, position: u64) {
        if self.points.last().is_none_or(|(_, last)| position - last >= INDEX_STEP) {
            self.points.push((offset, position));
        }
    }

    /// Lets readers begin right behind damaged frames. Whether they could not before.
    pub(super) fn pass(&mut self, damage: &Damage) -> bool {
        let at = self.points.partition_point(|(offset, _)| *offset < damage.resume);
        let new = self.points.get(at).is_none_or(|(offset, _)| *offset != damage.resume);
        if new {
            self.points.insert(at, (damage.resume, damage.resume_position));
        }
        new
    }

    /// The nearest point that isn't after the offset: `(offset, position)`.
    pub(super) fn before(&self, offset: u64) -> Option<(u64, u64)> {
        let after = self.points.partition_point(|(at, _)| *at <= offset);
        self.points.get(after.checked_sub(1)?).copied()
    }
}

/// Reads a whole file and checks every frame.
///
/// A write that a crash tore is the last thing in the file, because the next one begins only when it is durable. So
/// bytes that are no frame are a torn tail if nothing sound follows, and otherwise damage to what was durable.
pub(super) fn scan(path: &Path, base: u64) -> Result<Scan, LogError> {
    let bytes = std::fs::read(path).map_err(|error| LogError::io(path, error))?;
    let mut scan = Scan {
        index: Index::default(),
        damages: Vec::new(),
        len: 0,
        rest: 0,
        end: base,
    };
    let mut at = 0;
    loop {
        let here = frame::whole(&bytes[at..]).filter(|header| header.base == scan.end);
        let Some((skipped, header)) = here
            .map(|header| (0, header))
            .or_else(|| frame::find(&bytes[at..], scan.end))
        else {
            scan.rest = (bytes.len() - at) as u64;
            return Ok(scan);
        };
        let position = (at + skipped) as u64;
        if skipped > 0 || header.base != scan.end {
            let damage = Damage {
                position: at as u64,
                offset: scan.end,
                resume: header.base,
                resume_position: position,
            };
            scan.index.pass(&damage);
            scan.damages.push(damage);
        }
        at += skipped;
        scan.index.push(header.base, position);
        at += header.frame_len();
        scan.len = at as u64;
        scan.end = header.end();
    }
}

/// A place in a segment's file to read frames from.
pub(super) struct Frames<'a> {
    path: &'a Path,
    file: File,
    position: u64,
    limit: u64,
    chunk: Bytes,
    chunk_size: u64,
}

pub(super) enum Next {
    Frame(Header, Bytes),
    /// The limit is reached.
    End,
    /// No sound frame begins here.
    Bad,
}

impl<'a> Frames<'a> {
    pub(super) fn new(path: &'a Path, file: File, position: u64, limit: u64, chunk_size: u64) -> Self {
        Self {
            path,
            file,
            position,
            limit,
            chunk: Bytes::new(),
            chunk_size,
        }
    }

    pub(super) fn next(&mut self) -> Result<Next, LogError> {
        if self.position >= self.limit {
            return Ok(Next::End);
        }
        if !self.holds(HEADER)? {
            return Ok(Next::Bad);
        }
        let Some(header) = Header::parse(&self.chunk) else {
            return Ok(Next::Bad);
        };
        if !self.holds(header.frame_len())? || frame::whole(&self.chunk).is_none() {
            return Ok(Next::Bad);
        }
        let frame = self.chunk.split_to(header.frame_len());
        self.position += frame.len() as u64;
        Ok(Next::Frame(header, frame))
    }

    /// Makes the chunk hold so many bytes, if there are as many below the limit.
    fn holds(&mut self, wanted: usize) -> Result<bool, LogError> {
        if self.chunk.len() >= wanted {
            return Ok(true);
        }
        let there = self.limit - self.position;
        if there < wanted as u64 {
            return Ok(false);
        }
        let size = self.chunk_size.max(wanted as u64).min(there);
        let mut chunk = Vec::with_capacity(size as usize);
        let read = self
            .file
            .seek(SeekFrom::Start(self.position))
            .and_then(|_| (&self.file).take(size).read_to_end(&mut chunk));
        read.map_err(|error| LogError::io(self.path, error))?;
        self.chunk = chunk.into();
        Ok(self.chunk.len() >= wanted)
    }
}
