//! What a change tells of a person (address, name, number) is encrypted before it enters the outbox, with a key that this
//! person alone has. Every copy of the log holds it only in that form; with the key's row deleted, no copy can be read.
//!
//! A value becomes `enc:1:` and base64url of nonce, ciphertext and tag (ChaCha20-Poly1305). The person's id and the
//! field's name are authenticated with it, so that a value can't be moved to another person or field.

use crate::{
    Error, Result, Store, Tx,
    outbox::Pending,
    rows::placeholders,
    secrets::{self, Cipher},
    sql::{self, Columns, Value},
};
use domain::changes::{Entity, entity_named};
use serde_json::{Map, Value as Json};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, LazyLock},
};

const SEALED: &str = "enc:1:";
/// The start of a sealed value in JSON text.
const SEALED_IN_JSON: &[u8] = b"\"enc:1:";
const MOST_ROWS: usize = 64;

/// The keys of some people. Who is not among them has none any more.
#[derive(Default)]
pub struct PersonKeys(HashMap<String, PersonKey>);

struct PersonKey(Cipher);

impl Store {
    /// The keys of these people, those that are there. Not remembered: hardly anyone is asked for twice, and a key that
    /// was deleted must be gone at once.
    pub async fn person_keys(&self, people: &BTreeSet<String>) -> Result<PersonKeys> {
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        let mut keys = PersonKeys::default();
        if !people.is_empty() {
            keys.load(&mut self.peek().await?, &people).await?;
        }
        Ok(keys)
    }
}

impl PersonKeys {
    /// The personal fields that are sealed in the payload of a person's change, opened. Without the person's key they
    /// are null. None: nothing in it is sealed, so it stays as it is.
    pub fn open(&self, entity: &Entity, person: &str, payload: &[u8]) -> Option<Vec<u8>> {
        if !has_sealed(payload) {
            return None;
        }
        let mut record: Map<String, Json> = serde_json::from_slice(payload).ok()?;
        let key = self.0.get(person);
        for field in entity.personal {
            let Some(Json::String(text)) = record.get(*field) else {
                continue;
            };
            let Some(sealed) = text.strip_prefix(SEALED) else {
                continue;
            };
            let opened = key.and_then(|key| key.open(person, field, sealed));
            if key.is_some() && opened.is_none() {
                tracing::error!(
                    person,
                    field,
                    "a sealed value is not what this person's key sealed; it is read as null"
                );
            }
            record.insert((*field).to_owned(), opened.map_or(Json::Null, Json::String));
        }
        serde_json::to_vec(&record).ok()
    }

    async fn load(&mut self, db: &mut impl crate::Source, people: &[&str]) -> Result<()> {
        for chunk in people.chunks(MOST_ROWS) {
            // In powers of two, so that few different statements are prepared.
            let width = chunk.len().next_power_of_two();
            let last = chunk.last().copied().unwrap_or_default();
            let ids = chunk.iter().copied().chain(std::iter::repeat(last)).take(width);
            let ids = ids.map(|id| Value::Text(id.to_owned())).collect();
            let sql = SELECTS[width.ilog2() as usize].clone();
            for row in sql::all(db, sql, ids).await? {
                let key = PersonKey::parse(&row.text("key")?)?;
                self.0.insert(row.text("person_id")?, key);
            }
        }
        Ok(())
    }
}

/// Whether personal values of this payload are sealed. Text that only looks so costs a second look, no more.
pub fn has_sealed(payload: &[u8]) -> bool {
    payload
        .windows(SEALED_IN_JSON.len())
        .any(|window| window == SEALED_IN_JSON)
}

static SELECTS: LazyLock<Vec<Arc<String>>> = LazyLock::new(|| {
    let select = |power: u32| {
        let places = placeholders(1, 1 << power);
        Arc::new(format!(
            "select person_id, key from person_keys where person_id in {places}"
        ))
    };
    (0..=MOST_ROWS.ilog2()).map(select).collect()
});

static INSERTS: LazyLock<Vec<Arc<String>>> = LazyLock::new(|| {
    let insert = |power: u32| {
        let rows = placeholders(1 << power, 2);
        Arc::new(format!("insert into person_keys (person_id, key) values {rows}"))
    };
    (0..=MOST_ROWS.ilog2()).map(insert).collect()
});

/// A change with personal data, its payload taken apart.
struct Told {
    index: usize,
    entity: &'static Entity,
    record: Map<String, Json>,
}

/// Seals the personal data of a batch's changes. Each person's first change brings a key.
pub(crate) async fn seal(tx: &mut Tx, changes: &mut [Pending]) -> Result<()> {
    let told = with_personal_data(changes)?;
    if told.is_empty() {
        return Ok(());
    }
    let of = |told: &Told| changes[told.index].entity_id.as_str();
    let known: BTreeSet<&str> = told
        .iter()
        .filter(|told| changes[told.index].entity_version > 1)
        .map(of)
        .collect();
    let mut keys = PersonKeys::default();
    keys.load(tx, &known.into_iter().collect::<Vec<_>>()).await?;
    // What this very batch tells of someone whom it erases is sealed for nobody.
    let erased: HashSet<&str> = changes
        .iter()
        .filter(|change| change.change_type == "person.erased")
        .map(|change| change.entity_id.as_str())
        .collect();
    let mut made = Vec::new();
    for person in told.iter().map(of) {
        if keys.0.contains_key(person) {
            continue;
        }
        let key = secrets::random();
        keys.0.insert(person.to_owned(), PersonKey::parse(&key)?);
        if !erased.contains(person) {
            made.push((person.to_owned(), key));
        }
    }
    insert(tx, made);
    for Told {
        index,
        entity,
        mut record,
    } in told
    {
        let change = &mut changes[index];
        if let Some(key) = keys.0.get(&change.entity_id) {
            for field in entity.personal {
                if let Some(Json::String(text)) = record.get_mut(*field) {
                    *text = key.seal(&change.entity_id, field, text)?;
                }
            }
            change.payload = serde_json::to_string(&record)?;
        }
    }
    Ok(())
}

fn with_personal_data(changes: &[Pending]) -> Result<Vec<Told>> {
    let mut told = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        let Some(entity) = entity_named(change.entity).filter(|entity| !entity.personal.is_empty()) else {
            continue;
        };
        let record: Map<String, Json> = serde_json::from_str(&change.payload)?;
        if entity
            .personal
            .iter()
            .any(|field| matches!(record.get(*field), Some(Json::String(_))))
        {
            told.push(Told { index, entity, record });
        }
    }
    Ok(told)
}

fn insert(tx: &mut Tx, made: Vec<(String, String)>) {
    let mut rest = made.into_iter();
    while rest.len() > 0 {
        let power = rest.len().min(MOST_ROWS).ilog2();
        let values = rest.by_ref().take(1 << power);
        let values = values.flat_map(|(person, key)| [Value::Text(person), Value::Text(key)]);
        let values = values.collect();
        tx.defer(INSERTS[power as usize].clone(), values, 1 << power);
    }
}

impl PersonKey {
    fn parse(text: &str) -> Result<Self> {
        let unreadable = || Error::Storage("a person's key can't be read".into());
        let bytes = secrets::decode(text).ok_or_else(unreadable)?;
        Cipher::new(&bytes).map(Self)
    }

    fn seal(&self, person: &str, field: &str, text: &str) -> Result<String> {
        Ok(format!("{SEALED}{}", self.0.seal(&belongs_to(person, field), text)?))
    }

    fn open(&self, person: &str, field: &str, sealed: &str) -> Option<String> {
        self.0.open(&belongs_to(person, field), sealed)
    }
}

fn belongs_to(person: &str, field: &str) -> String {
    format!("{person}\0{field}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> &'static Entity {
        entity_named("person").unwrap()
    }

    fn keys(people: &[&str]) -> PersonKeys {
        let key = |id: &&str| ((*id).to_owned(), PersonKey::parse(&secrets::random()).unwrap());
        PersonKeys(people.iter().map(key).collect())
    }

    fn sealed(keys: &PersonKeys, id: &str, field: &str, text: &str) -> Vec<u8> {
        let value = keys.0[id].seal(id, field, text).unwrap();
        serde_json::json!({ "person_id": id, field: value }).to_string().into()
    }

    fn opened(keys: &PersonKeys, id: &str, payload: &[u8], field: &str) -> Json {
        let payload = keys.open(person(), id, payload).unwrap();
        serde_json::from_slice::<Json>(&payload).unwrap()[field].clone()
    }

    #[test]
    fn a_value_opens_for_its_person_and_field_and_for_no_other() {
        let keys = keys(&["p1", "p2"]);
        let payload = sealed(&keys, "p1", "name", "Żaneta \"Ż\" Ó");
        assert!(!String::from_utf8_lossy(&payload).contains("aneta"));
        assert_eq!(opened(&keys, "p1", &payload, "name"), "Żaneta \"Ż\" Ó");
        assert_eq!(opened(&keys, "p2", &payload, "name"), Json::Null);
        let moved = String::from_utf8(payload.clone())
            .unwrap()
            .replace("\"name\"", "\"email\"");
        assert_eq!(opened(&keys, "p1", moved.as_bytes(), "email"), Json::Null);
        assert_eq!(
            opened(&PersonKeys::default(), "p1", &payload, "name"),
            Json::Null,
            "the key is gone"
        );
        assert_ne!(
            payload,
            sealed(&keys, "p1", "name", "Żaneta \"Ż\" Ó"),
            "a nonce a value"
        );
    }

    #[test]
    fn what_was_never_sealed_and_what_is_damaged_stop_nothing() {
        let keys = keys(&["p1"]);
        let plain = br#"{"person_id":"p1","email":"ada@example.org","name":null}"#;
        assert!(keys.open(person(), "p1", plain).is_none());
        assert!(keys.open(person(), "p1", b"\"enc:1: no JSON").is_none());
        for damaged in ["", "A", "AAAA", "%%%%", &"A".repeat(60)] {
            let payload = format!(r#"{{"person_id":"p1","email":"enc:1:{damaged}","registered_at":5}}"#);
            assert_eq!(opened(&keys, "p1", payload.as_bytes(), "email"), Json::Null);
            assert_eq!(opened(&keys, "p1", payload.as_bytes(), "registered_at"), 5);
        }
    }
}
