//! Who has not agreed to be known gets another name every day: a keyed hash whose key is thrown away at midnight (UTC),
//! after which nobody can tell that two names were one visitor, or test a guess against a name.

use domain::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Mutex;
use transactional::Store;

const MICROS_OF_DAY: i64 = 24 * 3600 * 1_000_000;

/// The key of the present day. It stands in the core's database, so that all processes give a visitor the same name and
/// a restart makes nobody new; the next day's takes its place.
pub struct VisitorKeys {
    store: Store,
    today: Mutex<Option<(i64, [u8; 32])>>,
}

/// A day's key, ready to hash.
#[derive(Clone)]
pub(super) struct DayKey(Hmac<Sha256>);

/// Keys are secrets, and debug output ends in logs.
impl std::fmt::Debug for VisitorKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VisitorKeys")
    }
}

impl VisitorKeys {
    pub fn new(store: Store) -> Self {
        Self {
            store,
            today: Mutex::default(),
        }
    }

    pub(super) async fn of_day(&self, now: Timestamp) -> transactional::Result<DayKey> {
        let number = now.as_micros().div_euclid(MICROS_OF_DAY);
        let mut today = self.today.lock().await;
        let key = match *today {
            Some((known, key)) if known == number => key,
            _ => self.store.daily_secret("visitors", number).await?,
        };
        *today = Some((number, key));
        Ok(DayKey::new(&key))
    }
}

impl DayKey {
    fn new(key: &[u8; 32]) -> Self {
        // A block of HMAC's: it would fill up a shorter key with zeros itself.
        let mut block = [0; 64];
        block[..32].copy_from_slice(key);
        Self(Hmac::new(&block.into()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use transactional::StoreOptions;

    #[tokio::test]
    async fn a_name_lasts_a_day_in_every_process_and_yesterdays_key_is_gone() {
        let folder = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("core.db").display());
        let store = Store::open(&url, StoreOptions::default()).await.unwrap();
        let monday = Timestamp::from_micros(5 * MICROS_OF_DAY);
        let name = async |at: Timestamp, organizer: &[u8]| {
            let another_process = VisitorKeys::new(store.clone());
            another_process.of_day(at).await.unwrap().name(organizer, "v-1")
        };
        let first = name(monday, b"a").await;
        assert_eq!(first.len(), 32);
        assert_eq!(first, name(monday + Duration::from_secs(24 * 3600 - 1), b"a").await);
        assert_ne!(first, name(monday, b"b").await, "organizers can't compare");
        let tuesday = monday + Duration::from_secs(24 * 3600);
        assert_ne!(first, name(tuesday, b"a").await);
        assert_ne!(
            first,
            name(monday, b"a").await,
            "nobody can make yesterday's name again"
        );
    }
}
