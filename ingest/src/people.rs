//! What the log holds of people is encrypted, each person with a key that the core keeps. It is opened here, on its way
//! into the lake. Who was erased has no key any more; their changes come through with nulls in these places.

use crate::{LogRecord, change};
use domain::changes::{Entity, entity_of};
use std::collections::BTreeSet;
use transactional::{PersonKeys, Result, Store, has_sealed};

/// Opens the personal data of these changes. None to ask for keys: then nobody has one.
pub(crate) async fn open(keys: Option<&Store>, changes: &mut [(u32, LogRecord)]) -> Result<()> {
    let people: BTreeSet<String> = changes
        .iter()
        .filter_map(|(_, read)| sealed(read).map(|(_, person)| person.to_owned()))
        .collect();
    if people.is_empty() {
        return Ok(());
    }
    // A core that can't be asked is no core without keys: nulls would stay in the lake for good.
    let keys = match keys {
        Some(store) => store.person_keys(&people).await?,
        None => PersonKeys::default(),
    };
    for (_, read) in changes {
        let opened = sealed(read).and_then(|(entity, person)| keys.open(entity, person, &read.record.value));
        if let Some(value) = opened {
            read.record.value = value.into();
        }
    }
    Ok(())
}

/// The person whom a change with sealed values is about.
fn sealed(read: &LogRecord) -> Option<(&'static Entity, &str)> {
    let headers = &read.record.headers;
    let entity = entity_of(change::change_type(headers)?).filter(|entity| !entity.personal.is_empty())?;
    let person = headers.get("ce_entityid").filter(|_| has_sealed(&read.record.value))?;
    Some((entity, person))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HeadersBuilder, Record};
    use domain::Timestamp;
    use transactional::StoreOptions;

    fn change(change_type: &str, value: &str) -> (u32, LogRecord) {
        let headers = HeadersBuilder::default()
            .push("ce_type", change_type)
            .push("ce_entityid", "p1")
            .build();
        let record = Record {
            headers,
            value: value.to_owned().into(),
            ..Record::default()
        };
        let read = LogRecord {
            offset: 0,
            appended_at: Timestamp::now(),
            record,
        };
        (0, read)
    }

    #[tokio::test]
    async fn without_a_key_personal_data_is_null_and_all_else_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("core.db").display());
        let store = Store::open(&url, StoreOptions::default()).await.unwrap();
        let plain = r#"{"person_id":"p1","email":"ada@example.org"}"#;
        let order = r#"{"code":"enc:1:AAAA"}"#;
        for keys in [Some(&store), None] {
            let mut changes = [
                change(
                    "person.registered",
                    r#"{"person_id":"p1","email":"enc:1:AAAA","name":null}"#,
                ),
                change("person.registered", plain),
                change("order.placed", order),
                change("person.danced", r#"{"email":"enc:1:AAAA"}"#),
            ];
            open(keys, &mut changes).await.unwrap();
            let values = changes.map(|(_, read)| String::from_utf8(read.record.value.to_vec()).unwrap());
            let opened: serde_json::Value = serde_json::from_str(&values[0]).unwrap();
            assert_eq!(
                opened,
                serde_json::json!({ "person_id": "p1", "email": null, "name": null })
            );
            assert_eq!((values[1].as_str(), values[2].as_str()), (plain, order));
            assert_eq!(
                values[3], r#"{"email":"enc:1:AAAA"}"#,
                "it becomes a reject, with what cannot be read"
            );
        }
        store.close().await.unwrap();
        let mut changes = [change(
            "person.registered",
            r#"{"person_id":"p1","email":"enc:1:AAAA"}"#,
        )];
        assert!(
            open(Some(&store), &mut changes).await.is_err(),
            "no answer is not the answer none"
        );
    }
}
