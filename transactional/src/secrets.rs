//! Random secrets, their hashes, and the one key of this database from which other secrets are derived.

use crate::{
    Error, Result, Store,
    dialect::Connection,
    sql::{self, Columns, binds},
    store,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};

/// 32 random bytes as text.
pub(crate) fn random() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes())
}

pub(crate) fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// What is stored of a secret with 256 random bits: nobody can go back from it, and no salt is needed.
pub(crate) fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

/// Reads 32 bytes that [`encode`] wrote.
pub(crate) fn decode(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

pub(crate) fn encode(bytes: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Store {
    /// A purpose's secret of a day, the same in all processes on this database. Those of earlier days are gone for good.
    /// Days are counted from 1970 on.
    pub async fn daily_secret(&self, purpose: &'static str, day: i64) -> Result<[u8; 32]> {
        let secret = self.write("system", move |tx| {
            Box::pin(async move {
                let (first, today) = (format!("{purpose}:"), format!("{purpose}:{day:08}"));
                let sql = "delete from secrets where name >= $1 and name < $2";
                sql::execute(tx, sql, binds![first, today]).await?;
                let sql = "insert into secrets (name, value) values ($1, $2) on conflict (name) do nothing";
                sql::execute(tx, sql, binds![today, random()]).await?;
                let sql = "select value from secrets where name = $1";
                sql::one(tx, sql, binds![today]).await?.text("value")
            })
        });
        let text = secret.await?;
        decode(&text).ok_or_else(|| Error::Storage("a day's secret is unreadable".into()))
    }
}

/// The key of this database. What it signs can be shown again at any time and is stored nowhere.
pub(crate) struct Key {
    text: String,
}

impl Key {
    pub(crate) async fn load(connection: &mut Connection) -> Result<Self> {
        let text = store::secret(connection, "core", random()).await?;
        Ok(Self { text })
    }

    pub(crate) fn sign(&self, purpose: &str, message: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(purpose, message).finalize().into_bytes())
    }

    /// Compares in constant time.
    pub(crate) fn verifies(&self, purpose: &str, message: &str, signature: &str) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        self.mac(purpose, message).verify_slice(&signature).is_ok()
    }

    fn mac(&self, purpose: &str, message: &str) -> Hmac<Sha256> {
        let mut mac = mac(self.text.as_bytes());
        mac.update(format!("{purpose}\0{message}").as_bytes());
        mac
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(crate) fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("a key of any length")
}
