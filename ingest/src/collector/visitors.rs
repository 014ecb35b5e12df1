//! Who has not agreed to be known gets another name every day: a keyed hash whose key is thrown away at midnight (UTC),
//! after which nobody can tell that two names were one visitor, or test a guess against a name.

use domain::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

const MICROS_OF_DAY: i64 = 24 * 3600 * 1_000_000;

/// The key of the present day. It stands in a file, so that a restart doesn't make everyone a new visitor; the next
/// day's key is written over it.
#[derive(Debug)]
pub struct VisitorKeys {
    file: PathBuf,
    today: Mutex<Option<Day>>,
}

#[derive(Clone)]
struct Day {
    number: i64,
    key: [u8; 64],
}

/// A day's key, ready to hash.
#[derive(Clone)]
pub(super) struct DayKey(Hmac<Sha256>);

/// Keys are secrets, and debug output ends in logs.
impl std::fmt::Debug for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Day({})", self.number)
    }
}

impl VisitorKeys {
    /// Keeps the day's key in this file, which only its owner may read.
    pub fn in_file(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            today: Mutex::default(),
        }
    }

    pub(super) fn of_day(&self, now: Timestamp) -> DayKey {
        let number = now.as_micros().div_euclid(MICROS_OF_DAY);
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        let day = match today.take() {
            Some(day) if day.number == number => day,
            _ => self.load_or_make(number),
        };
        let key = DayKey::new(&day.key);
        *today = Some(day);
        key
    }

    fn load_or_make(&self, number: i64) -> Day {
        if let Some(day) = load(&self.file).filter(|day| day.number == number) {
            return day;
        }
        let day = Day {
            number,
            key: rand::random(),
        };
        if let Err(error) = save(&self.file, &day) {
            tracing::warn!(%error, file = %self.file.display(), "a restart today will count visitors anew");
        }
        day
    }
}

impl DayKey {
    fn new(key: &[u8; 64]) -> Self {
        Self(Hmac::new(key.into()))
    }

    /// The visitor's name for today. It differs between organizers, so that they can't compare.
    pub(super) fn name(&self, organizer: &[u8], visitor: &str) -> String {
        let mut hash = self.0.clone();
        hash.update(organizer);
        hash.update(visitor.as_bytes());
        let hash = hash.finalize().into_bytes();
        hash[..16].iter().fold(String::with_capacity(32), |mut text, byte| {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(half), 16).unwrap_or_default());
            }
            text
        })
    }
}

/// The number of the day (8 bytes), and its key.
fn load(file: &Path) -> Option<Day> {
    let bytes = fs::read(file).ok()?;
    let (number, key) = bytes.split_first_chunk()?;
    Some(Day {
        number: i64::from_le_bytes(*number),
        key: key.try_into().ok()?,
    })
}

fn save(path: &Path, day: &Day) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(&day.number.to_le_bytes())?;
    file.write_all(&day.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_name_lasts_a_day_through_restarts_and_yesterdays_key_is_gone() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("visitors.key");
        let monday = Timestamp::from_micros(5 * MICROS_OF_DAY);
        let name = |at: Timestamp, organizer: &[u8]| VisitorKeys::in_file(&file).of_day(at).name(organizer, "v-1");
        let first = name(monday, b"a");
        assert_eq!(first.len(), 32);
        assert_eq!(first, name(monday + Duration::from_secs(24 * 3600 - 1), b"a"));
        assert_ne!(first, name(monday, b"b"), "organizers can't compare");
        let tuesday = monday + Duration::from_secs(24 * 3600);
        assert_ne!(first, name(tuesday, b"a"));
        assert_ne!(first, name(monday, b"a"), "nobody can make yesterday's name again");
    }
}
