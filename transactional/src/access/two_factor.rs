//! The second factor: codes of six digits that change every 30 seconds (TOTP, RFC 6238), and recovery codes for who has
//! lost the device that shows them. A code counts once.

use crate::{
    Error, Result, Tx, secrets,
    sql::{self, Columns, binds},
};
use domain::{Timestamp, UserId};
use totp_rs::{Builder, Totp};

/// What an authenticator app needs to show codes.
#[derive(Clone)]
pub struct Enrolment {
    /// In base32, to be typed.
    pub secret: String,
    /// For a QR code.
    pub otpauth_uri: String,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Enrolment(…)")
    }
}

const SEAL: &str = "totp";
/// RFC 4226 recommends 160 bits.
const SECRET_BYTES: usize = 20;
const RECOVERY_CODES: usize = 10;
/// Without letters that look alike: 16 of them are 80 bits.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new secret. It counts once [`confirm`] has seen a code of it; until then, another one takes its place.
pub async fn enrol(tx: &mut Tx, id: UserId) -> Result<Enrolment> {
    let row = sql::one(
        tx,
        "select email, totp_confirmed_at from users where user_id = $1",
        binds![id],
    );
    let row = row.await?;
    if row.maybe_int("totp_confirmed_at")?.is_some() {
        let message = "this account has a second factor already; turn it off first";
        return Err(Error::conflict("second_factor_on", message));
    }
    let totp = totp(secrets::random_bytes()[..SECRET_BYTES].to_vec(), &row.text("email")?)?;
    let secret = totp.secret().to_base32();
    let sealed = tx.key.seal(SEAL, &id.to_string(), &secret)?;
    let sql = "update users set totp_secret = $2, totp_last_step = 0 where user_id = $1";
    sql::execute(tx, sql, binds![id, sealed]).await?;
    let otpauth_uri = totp.to_url().map_err(|error| Error::Storage(error.to_string()))?;
    Ok(Enrolment { secret, otpauth_uri })
}

/// Turns the second factor on, and answers its recovery codes, which are shown this once.
pub async fn confirm(tx: &mut Tx, id: UserId, code: &str, at: Timestamp) -> Result<Vec<String>> {
    let Some(factor) = Factor::of(tx, id).await?.filter(|factor| !factor.confirmed) else {
        let message = "there is no enrolment to confirm; begin one";
        return Err(Error::conflict("no_enrolment", message));
    };
    if !factor.takes_totp(tx, code, at).await? {
        return Err(wrong_code());
    }
    let sql = "update users set totp_confirmed_at = $2 where user_id = $1";
    sql::execute(tx, sql, binds![id, at]).await?;
    new_recovery_codes(tx, id).await
}

/// For who has proved who they are with password and code, or for the operator.
pub async fn turn_off(tx: &mut Tx, id: UserId) -> Result<()> {
    let sql = "update users set totp_secret = null, totp_confirmed_at = null where user_id = $1";
    sql::execute(tx, sql, binds![id]).await?;
    sql::execute(tx, "delete from recovery_codes where user_id = $1", binds![id]).await?;
    Ok(())
}

/// The old ones no longer count.
pub async fn new_recovery_codes(tx: &mut Tx, id: UserId) -> Result<Vec<String>> {
    sql::execute(tx, "delete from recovery_codes where user_id = $1", binds![id]).await?;
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let letters = secrets::random_bytes().map(|byte| char::from(ALPHABET[usize::from(byte & 31)]));
        let groups: Vec<String> = letters[..16].chunks(4).map(|group| group.iter().collect()).collect();
        let code = groups.join("-");
        let sql = "insert into recovery_codes (user_id, code_hash) values ($1, $2)";
        tx.defer(sql, binds![id, recovery_hash(&code)], 1);
        codes.push(code);
    }
    Ok(codes)
}

/// Asks an account that has a second factor for a code, and uses it up.
pub(super) async fn require(tx: &mut Tx, id: UserId, code: Option<&str>, at: Timestamp) -> Result<()> {
    let Some(factor) = Factor::of(tx, id).await?.filter(|factor| factor.confirmed) else {
        return Ok(());
    };
    let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
        let message = "this account has a second factor: send its code as well";
        return Err(Error::refused("code_needed", message).at("code"));
    };
    if factor.takes_totp(tx, code, at).await? {
        return Ok(());
    }
    let sql = "delete from recovery_codes where user_id = $1 and code_hash = $2";
    match sql::execute(tx, sql, binds![id, recovery_hash(code)]).await? {
        0 => Err(wrong_code()),
        _ => Ok(()),
    }
}

struct Factor {
    user_id: UserId,
    totp: Totp,
    confirmed: bool,
    last_step: i64,
}

impl Factor {
    async fn of(tx: &mut Tx, user_id: UserId) -> Result<Option<Self>> {
        let sql = "select email, totp_secret, totp_confirmed_at, totp_last_step from users where user_id = $1";
        let row = sql::one(tx, sql, binds![user_id]).await?;
        let Some(sealed) = row.maybe_text("totp_secret")? else {
            return Ok(None);
        };
        let secret = tx.key.open(SEAL, &user_id.to_string(), &sealed)?;
        let secret = totp_rs::Secret::try_from_base32(&secret);
        let secret = secret.map_err(|_| Error::Storage("a second factor's secret is unreadable".into()))?;
        Ok(Some(Self {
            user_id,
            totp: totp(secret.as_bytes().to_vec(), &row.text("email")?)?,
            confirmed: row.maybe_int("totp_confirmed_at")?.is_some(),
            last_step: row.int("totp_last_step")?,
        }))
    }

    /// Whether this is the code of now, or of the step before or after, and of none that was used up.
    async fn takes_totp(&self, tx: &mut Tx, code: &str, at: Timestamp) -> Result<bool> {
        let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let seconds = at.as_micros().max(0).unsigned_abs() / 1_000_000;
        let step = match self.totp.check(&digits, seconds).map(i64::try_from) {
            Some(Ok(step)) if step > self.last_step => step,
            _ => return Ok(false),
        };
        let sql = "update users set totp_last_step = $2 where user_id = $1 and totp_last_step < $2";
        Ok(sql::execute(tx, sql, binds![self.user_id, step]).await? == 1)
    }
}

fn totp(secret: Vec<u8>, email: &str) -> Result<Totp> {
    let totp = Builder::new()
        .with_secret(secret)
        .with_issuer(Some("Bilten"))
        .with_account_name(email.replace(':', " "))
        .build();
    totp.map_err(|error| Error::Storage(error.to_string()))
}

fn recovery_hash(code: &str) -> String {
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    secrets::hash(&letters.to_uppercase())
}

fn wrong_code() -> Error {
    Error::refused("wrong_code", "the code is wrong, too old, or was used before").at("code")
}
