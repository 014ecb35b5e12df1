//! A partition of the embedded log: its segments, and reading from them. All of this blocks.

use super::{
    LogError, Retention,
    file::Recovered,
    frame,
    segment::{Damage, Frames, Index, Next, Segment, scan},
};
use crate::LogRecord;
use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
    time::SystemTime,
};

#[derive(Debug)]
pub(super) struct Partition {
    topic: String,
    number: u32,
    pub(super) folder: PathBuf,
    state: RwLock<State>,
}

/// Never empty; the last segment is the one written to.
#[derive(Debug)]
struct State {
    segments: Vec<Segment>,
    end: u64,
}

/// Where reading begins.
struct Place {
    path: PathBuf,
    base: u64,
    /// Offset and position of the first frame to look at.
    at: (u64, u64),
    len: u64,
    /// What the next segment begins with, if this isn't the last.
    next: Option<u64>,
}

/// What a read has gathered.
struct Found {
    records: Vec<LogRecord>,
    next: u64,
    /// Bytes that may still be added.
    room: usize,
}

enum Reading {
    Done,
    /// Something other than the expected frame stands there.
    Bad,
    /// The file was deleted meanwhile.
    Gone,
}

impl Partition {
    /// Opens what the folder holds, and cuts off what a crash left torn.
    pub(super) fn open(topic: &str, number: u32, folder: PathBuf) -> Result<(Self, Option<Recovered>), LogError> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|error| LogError::io(&folder, error))? {
            let path = entry.map_err(|error| LogError::io(&folder, error))?.path();
            if let Some(base) = Segment::base_of(&path) {
                let len = fs::metadata(&path).map_err(|error| LogError::io(&path, error))?.len();
                segments.push(Segment {
                    base,
                    path,
                    len,
                    index: None,
                });
            }
        }
        segments.sort_by_key(|segment| segment.base);
        if segments.is_empty() {
            segments.push(create_segment(&folder, 0)?);
        }
        let mut recovered = None;
        let mut end = 0;
        if let Some(last) = segments.last_mut() {
            (end, recovered) = recover(last)?;
        }
        let partition = Self {
            topic: topic.to_owned(),
            number,
            folder,
            state: RwLock::new(State { segments, end }),
        };
        Ok((partition, recovered))
    }

    pub(super) fn start(&self) -> u64 {
        self.with(|state| state.segments.first().map_or(0, |segment| segment.base))
    }

    pub(super) fn end(&self) -> u64 {
        self.with(|state| state.end)
    }

    /// File and length of the segment that is written to.
    pub(super) fn active(&self) -> Result<(PathBuf, u64), LogError> {
        self.with(|state| state.segments.last().map(|active| (active.path.clone(), active.len)))
            .ok_or(LogError::Closed)
    }

    /// Begins a new segment at the end.
    pub(super) fn roll(&self) -> Result<PathBuf, LogError> {
        let segment = create_segment(&self.folder, self.end())?;
        let path = segment.path.clone();
        self.with_mut(|state| state.segments.push(segment));
        Ok(path)
    }

    /// Shows readers a frame that is durable now.
    pub(super) fn grow(&self, frame_len: u64, end: u64) {
        self.with_mut(|state| {
            if let Some(active) = state.segments.last_mut() {
                let index = active.index.get_or_insert_default();
                index.push(state.end, active.len);
                active.len += frame_len;
            }
            state.end = end;
        });
    }

    pub(super) fn read(&self, from: u64, max_bytes: usize) -> Result<Vec<LogRecord>, LogError> {
        let mut found = Found {
            records: Vec::new(),
            next: from,
            room: max_bytes.max(1),
        };
        while found.room > 0 {
            let Some(place) = self.locate(found.next)? else { break };
            match self.read_place(&place, max_bytes, &mut found)? {
                Reading::Done => {}
                Reading::Bad if !found.records.is_empty() => break,
                Reading::Bad => self.pass_damage(&place, found.next)?,
                Reading::Gone => return Err(self.out_of_range(from)),
            }
        }
        Ok(found.records)
    }

    /// Adds what one segment has, until it ends or there is enough.
    fn read_place(&self, place: &Place, max_bytes: usize, found: &mut Found) -> Result<Reading, LogError> {
        let file = match File::open(&place.path) {
            Ok(file) => file,
            // Retention was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Reading::Gone),
            Err(error) => return Err(LogError::io(&place.path, error)),
        };
        let chunk = max_bytes.clamp(4 << 10, 4 << 20) as u64;
        let (mut expected, position) = place.at;
        let mut frames = Frames::new(&place.path, file, position, place.len, chunk);
        while found.room > 0 {
            match frames.next()? {
                Next::Frame(header, frame) if header.base == expected => {
                    expected = header.end();
                    if expected > found.next {
                        if !frame::decode(&header, &frame, found.next, &mut found.records) {
                            return Ok(Reading::Bad);
                        }
                        found.next = expected;
                        found.room = found.room.saturating_sub(frame.len());
                    }
                }
                Next::End if place.next.is_none() => return Ok(Reading::Done),
                Next::End | Next::Bad if place.next == Some(expected) => return Ok(Reading::Done),
                Next::Frame(..) | Next::End | Next::Bad => return Ok(Reading::Bad),
            }
        }
        Ok(Reading::Done)
    }

    /// The newest record, if there is one.
    pub(super) fn last(&self) -> Result<Option<LogRecord>, LogError> {
        let (start, end) = (self.start(), self.end());
        if end == start {
            return Ok(None);
        }
        match self.read(end - 1, 1) {
            Ok(mut records) => Ok(records.pop()),
            Err(error) => Err(error),
        }
    }

    /// Deletes whole segments from the front. See [`super::EventLog::retain`].
    pub(super) fn retain(&self, floor: u64, keep: Retention) -> Result<u64, LogError> {
        let now = SystemTime::now();
        loop {
            let total: u64 = self.with(|state| state.segments.iter().map(|segment| segment.len).sum());
            // The newest record stays, so a segment may go only when a later one has records.
            let oldest = self.with(|state| match &state.segments[..] {
                [oldest, next, ..] if next.base <= floor && next.base < state.end => Some(oldest.path.clone()),
                _ => None,
            });
            let Some(path) = oldest else { break };
            let written = fs::metadata(&path).and_then(|meta| meta.modified());
            let written = written.map_err(|error| LogError::io(&path, error))?;
            let too_old = now.duration_since(written).is_ok_and(|age| age > keep.age);
            if !too_old && total <= keep.bytes {
                break;
            }
            self.with_mut(|state| state.segments.remove(0));
            fs::remove_file(&path).map_err(|error| LogError::io(&path, error))?;
            sync_folder(&self.folder)?;
        }
        Ok(self.start())
    }

    /// Where to begin to read the offset; None at the end.
    fn locate(&self, offset: u64) -> Result<Option<Place>, LogError> {
        loop {
            let (found, end) = self.with(|state| (state.place(offset), state.end));
            match found {
                _ if offset == end => return Ok(None),
                Some((place, true)) if offset < end => return Ok(Some(place)),
                Some((place, false)) if offset < end => {
                    let index = scan(&place.path, place.base)?.index;
                    self.with_mut(|state| state.set_index(place.base, index));
                }
                _ => return Err(self.out_of_range(offset)),
            }
        }
    }

    /// Looks at the whole file once more: an error if the wanted record is lost, and otherwise readers learn where to
    /// begin behind the frames that are.
    fn pass_damage(&self, place: &Place, wanted: u64) -> Result<(), LogError> {
        let scan = scan(&place.path, place.base)?;
        let behind = Damage {
            position: scan.len,
            offset: scan.end,
            resume: place.next.unwrap_or(scan.end),
            resume_position: scan.len,
        };
        let mut damages = scan.damages.iter().chain(std::iter::once(&behind));
        if let Some(damage) = damages.find(|damage| (damage.offset..damage.resume).contains(&wanted)) {
            return Err(LogError::Corrupt {
                file: place.path.clone(),
                position: damage.position,
                offset: damage.offset,
                resume: damage.resume,
            });
        }
        let learned = self.with_mut(|state| state.pass(place.base, &scan.damages));
        if learned {
            return Ok(());
        }
        let error = io::Error::other("the file reads differently each time");
        Err(LogError::io(&place.path, error))
    }

    fn out_of_range(&self, asked: u64) -> LogError {
        LogError::OffsetOutOfRange {
            topic: self.topic.clone(),
            partition: self.number,
            asked,
            start: self.start(),
            end: self.end(),
        }
    }

    fn with<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_mut<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Where the offset is, and whether that segment is indexed.
    fn place(&self, offset: u64) -> Option<(Place, bool)> {
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        let index = segment.index.as_ref();
        let place = Place {
            path: segment.path.clone(),
            base: segment.base,
            at: index
                .and_then(|index| index.before(offset))
                .unwrap_or((segment.base, 0)),
            len: segment.len,
            next: self.segments.get(after).map(|next| next.base),
        };
        Some((place, index.is_some()))
    }

    fn set_index(&mut self, base: u64, index: Index) {
        if let Some(segment) = self.segments.iter_mut().find(|segment| segment.base == base) {
            segment.index.get_or_insert(index);
        }
    }

    /// Whether these damages were news.
    fn pass(&mut self, base: u64, damages: &[Damage]) -> bool {
        let index = self.segments.iter_mut().find(|segment| segment.base == base);
        let Some(index) = index.and_then(|segment| segment.index.as_mut()) else {
            return false;
        };
        damages.iter().filter(|damage| index.pass(damage)).count() > 0
    }
}

/// Reads the segment that was written last, and cuts off its torn tail. Answers the offset after its last record.
fn recover(segment: &mut Segment) -> Result<(u64, Option<Recovered>), LogError> {
    let scan = scan(&segment.path, segment.base)?;
    segment.len = scan.len;
    segment.index = Some(scan.index);
    if scan.rest == 0 {
        return Ok((scan.end, None));
    }
    let cut = OpenOptions::new().write(true).open(&segment.path).and_then(|file| {
        file.set_len(scan.len)?;
        file.sync_all()
    });
    cut.map_err(|error| LogError::io(&segment.path, error))?;
    let recovered = Recovered {
        file: segment.path.clone(),
        next_offset: scan.end,
        cut_bytes: scan.rest,
    };
    Ok((scan.end, Some(recovered)))
}

fn create_segment(folder: &Path, base: u64) -> Result<Segment, LogError> {
    let path = Segment::path(folder, base);
    // A file of that name can only be one that an earlier, failed attempt left empty.
    File::create(&path).map_err(|error| LogError::io(&path, error))?;
    sync_folder(folder)?;
    Ok(Segment {
        base,
        path,
        len: 0,
        index: Some(Index::default()),
    })
}

/// Makes names in the folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), LogError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| LogError::io(folder, error))
}
