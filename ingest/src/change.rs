//! A change as a record of the log: a CloudEvents 1.0 message in binary mode, with extensions for what a lake's
//! envelope and the order of changes need. `ce_prevseq` is the `seq` of the change before it, so that a reader of several
//! partitions knows what it has not seen yet; `ce_floor` says up to which change all of them, to the end of a command, were
//! in the log when this one was sent, so that a reader that begins in the middle knows what it need not wait for.

use crate::{Headers, HeadersBuilder, Record, chain::Link};
use domain::changes::Change;
use lakehouse::decode::Envelope;

const SOURCE: &str = "urn:bilten:core";

/// The record of a change, given the `seq` of the one before it and the floor.
pub(crate) fn record(change: &Change, prev: i64, floor: i64) -> Record {
    let number = |n: i64| n.to_string();
    let Change {
        entity,
        entity_id,
        schema_version,
        ..
    } = change;
    let organizer = change.organizer_id.to_string();
    let mut headers = HeadersBuilder::default();
    // Those that are asked for most come first: `link` reads no further.
    headers
        .push("ce_seq", &number(change.seq))
        .push("ce_prevseq", &number(prev))
        .push("ce_remaining", &number(change.remaining))
        .push("ce_floor", &number(floor))
        .push("ce_specversion", "1.0")
        .push("ce_id", &change.change_id.to_string())
        .push("ce_type", &change.change_type)
        .push("ce_source", SOURCE)
        .push("ce_time", &change.occurred_at.to_string())
        .push("ce_dataschema", &format!("urn:bilten:{entity}:{schema_version}"))
        .push("ce_schemaversion", &number(*schema_version))
        .push("ce_organizerid", &organizer)
        .push("ce_entity", entity)
        .push("ce_entityid", entity_id)
        .push("ce_entityversion", &number(change.entity_version))
        .push("ce_occurredat", &number(change.occurred_at.as_micros()))
        .push("ce_recordedat", &number(change.recorded_at.as_micros()))
        .push("ce_actor", &change.actor);
    for (name, value) in [
        ("ce_correlationid", &change.correlation_id),
        ("ce_traceparent", &change.traceparent),
    ] {
        if let Some(value) = value {
            headers.push(name, value);
        }
    }
    Record {
        key: format!("{organizer}:{entity_id}").into(),
        headers: headers.build(),
        value: change.payload.clone().into(),
    }
}

/// The change's place in the order of the core, if the headers tell it.
pub(crate) fn link(headers: &Headers) -> Option<Link> {
    let (mut seq, mut prev, mut remaining) = (None, None, None);
    for pair in headers.iter() {
        let (name, value) = pair?;
        match name {
            "ce_seq" => seq = value.parse().ok(),
            "ce_prevseq" => prev = value.parse().ok(),
            "ce_remaining" => remaining = value.parse().ok(),
            _ => continue,
        }
        if let (Some(seq), Some(prev), Some(remaining)) = (seq, prev, remaining) {
            return (prev < seq).then_some(Link { seq, prev, remaining });
        }
    }
    None
}

pub(crate) fn change_type(headers: &Headers) -> Option<&str> {
    headers.get("ce_type")
}

/// All changes up to this `seq` were in the log before this record.
pub(crate) fn floor(headers: &Headers) -> Option<i64> {
    headers.get("ce_floor")?.parse().ok()
}

/// The place in a trace of what made the change.
pub(crate) fn traceparent(record: &Record) -> Option<&str> {
    record.headers.get("ce_traceparent")
}

/// What the headers say of the change, or why they can't be read.
pub(crate) fn envelope(headers: &Headers) -> Result<Envelope<'_>, String> {
    let mut envelope = Envelope {
        seq: 0,
        change_id: "",
        change_type: "",
        schema_version: 0,
        organizer_id: "",
        entity: "",
        entity_id: "",
        entity_version: 0,
        occurred_at: 0,
        recorded_at: 0,
        actor: "",
        correlation_id: None,
    };
    let mut seen = 0_u16;
    for pair in headers.iter() {
        let (name, value) = pair.ok_or("the headers end in bytes that are no header")?;
        let number = || {
            value
                .parse::<i64>()
                .map_err(|_| format!("the header {name} is no whole number"))
        };
        let bit = match name {
            "ce_seq" => (envelope.seq = number()?, 0).1,
            "ce_id" => (envelope.change_id = value, 1).1,
            "ce_type" => (envelope.change_type = value, 2).1,
            "ce_schemaversion" => (envelope.schema_version = number()?, 3).1,
            "ce_organizerid" => (envelope.organizer_id = value, 4).1,
            "ce_entity" => (envelope.entity = value, 5).1,
            "ce_entityid" => (envelope.entity_id = value, 6).1,
            "ce_entityversion" => (envelope.entity_version = number()?, 7).1,
            "ce_occurredat" => (envelope.occurred_at = number()?, 8).1,
            "ce_recordedat" => (envelope.recorded_at = number()?, 9).1,
            "ce_actor" => (envelope.actor = value, 10).1,
            "ce_correlationid" => {
                envelope.correlation_id = Some(value);
                continue;
            }
            _ => continue,
        };
        seen |= 1 << bit;
    }
    const ALL: [&str; 11] = [
        "ce_seq",
        "ce_id",
        "ce_type",
        "ce_schemaversion",
        "ce_organizerid",
        "ce_entity",
        "ce_entityid",
        "ce_entityversion",
        "ce_occurredat",
        "ce_recordedat",
        "ce_actor",
    ];
    match ALL.iter().enumerate().find(|(bit, _)| seen & (1 << bit) == 0) {
        Some((_, missing)) => Err(format!("the header {missing} is missing")),
        None => Ok(envelope),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{ChangeId, OrganizerId, Timestamp};

    fn change() -> Change {
        Change {
            seq: 12,
            remaining: 1,
            change_id: ChangeId::new(),
            change_type: "order.paid".to_owned(),
            schema_version: 1,
            organizer_id: OrganizerId::new(),
            entity: "order".to_owned(),
            entity_id: "o-1".to_owned(),
            entity_version: 3,
            occurred_at: Timestamp::from_micros(5),
            recorded_at: Timestamp::from_micros(7),
            actor: "user-1".to_owned(),
            payload: "{}".to_owned(),
            correlation_id: Some("r-1".to_owned()),
            traceparent: None,
        }
    }

    #[test]
    fn a_record_tells_all_of_its_change() {
        let change = change();
        let record = record(&change, 9, 8);
        let expected = Link {
            seq: 12,
            prev: 9,
            remaining: 1,
        };
        assert_eq!(link(&record.headers), Some(expected));
        assert_eq!(floor(&record.headers), Some(8));
        let envelope = envelope(&record.headers).unwrap();
        assert_eq!(
            (envelope.change_id, envelope.entity_id),
            (&*change.change_id.to_string(), "o-1")
        );
        assert_eq!(
            (envelope.occurred_at, envelope.recorded_at, envelope.actor),
            (5, 7, "user-1")
        );
        assert_eq!(envelope.correlation_id, Some("r-1"));
        assert_eq!(record.headers.get("ce_traceparent"), None);
        assert_eq!(record.key, format!("{}:o-1", change.organizer_id));
        assert_eq!(record.headers.get("ce_time"), Some("1970-01-01T00:00:00.000005Z"));
    }

    #[test]
    fn headers_that_lack_something_say_what() {
        let partial = HeadersBuilder::default().push("ce_seq", "1").push("ce_id", "x").build();
        assert_eq!(envelope(&partial).unwrap_err(), "the header ce_type is missing");
        let wrong = HeadersBuilder::default().push("ce_seq", "one").build();
        assert_eq!(envelope(&wrong).unwrap_err(), "the header ce_seq is no whole number");
        assert_eq!(link(&wrong), None);
        let backwards = [("ce_seq", "5"), ("ce_prevseq", "5"), ("ce_remaining", "0")];
        let mut headers = HeadersBuilder::default();
        for (name, value) in backwards {
            headers.push(name, value);
        }
        assert_eq!(link(&headers.build()), None, "a change doesn't follow itself");
    }
}
