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
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
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

    /// Encrypts a secret that has to be known again, for one row alone.
    pub(crate) fn seal(&self, purpose: &str, id: &str, text: &str) -> Result<String> {
        self.cipher(purpose, id)?.seal(id, text)
    }

    pub(crate) fn open(&self, purpose: &str, id: &str, sealed: &str) -> Result<String> {
        let opened = self.cipher(purpose, id)?.open(id, sealed);
        opened.ok_or_else(|| Error::Storage(format!("a secret of the kind {purpose} can't be decrypted")))
    }

    fn cipher(&self, purpose: &str, id: &str) -> Result<Cipher> {
        Cipher::new(&self.mac(&format!("seal:{purpose}"), id).finalize().into_bytes().into())
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

/// ChaCha20-Poly1305. A sealed text is base64url of nonce, ciphertext and tag; what it belongs to is authenticated too.
pub(crate) struct Cipher(LessSafeKey);

const NONCE: usize = 12;

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key);
        let key = key.map_err(|_| Error::Storage("a key is not one of the cipher".into()))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    pub(crate) fn seal(&self, belongs_to: &str, text: &str) -> Result<String> {
        // Random: a key seals a handful of values in its life, and 96 bits don't meet by chance among so few.
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let mut bytes = text.as_bytes().to_vec();
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(belongs_to.as_bytes()),
                &mut bytes,
            )
            .map_err(|_| Error::Storage("a value can't be encrypted".into()))?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &bytes[..], tag.as_ref()].concat()))
    }

    /// None: it was not sealed with this key for this.
    pub(crate) fn open(&self, belongs_to: &str, sealed: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let (nonce, mut sealed) = (Nonce::assume_unique_for_key(*nonce), sealed.to_vec());
        let text = self
            .0
            .open_in_place(nonce, Aad::from(belongs_to.as_bytes()), &mut sealed)
            .ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}
