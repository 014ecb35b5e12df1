//! The parts of the sentences that tell of changes: who, did, what.

use super::{Actor, Thing};
use std::borrow::Cow;

pub(super) fn who(actor: &Actor) -> String {
    let name = actor.name.as_deref();
    match actor.kind.as_str() {
        "user" => format!("{} (user)", name.unwrap_or("Somebody")),
        "token" => format!("{} (API token)", name.unwrap_or("A program")),
        "device" => format!("{} (device)", name.unwrap_or("A scanner")),
        "platform" => format!("{} (the platform)", name.unwrap_or("The operator")),
        "provider" => format!("{} (payment provider)", name.unwrap_or("A provider")),
        "storefront" | "buyer" => "A buyer".into(),
        "system" => "Bilten".into(),
        kind => match name {
            Some(name) => format!("{name} ({})", kind.replace('_', " ")),
            None => kind.replace('_', " "),
        },
    }
}

/// The verb of a change type. One that a newer version of the program has made is told by its own last word.
pub(super) fn did(change_type: &str) -> Cow<'_, str> {
    let last = change_type.rsplit('.').next().unwrap_or(change_type);
    match verb(change_type, last) {
        Some(verb) => verb.into(),
        None => last.replace('_', " ").into(),
    }
}

/// Last words that are verbs.
const VERBS: &[&str] = &[
    "approved",
    "blocked",
    "cancelled",
    "created",
    "deleted",
    "disabled",
    "drafted",
    "erased",
    "issued",
    "made",
    "moved",
    "opened",
    "placed",
    "postponed",
    "published",
    "registered",
    "reissued",
    "released",
    "requested",
    "resized",
    "revoked",
    "started",
    "unblocked",
    "updated",
];

fn verb<'t>(change_type: &str, last: &'t str) -> Option<&'t str> {
    Some(match change_type {
        "order.paid" => "recorded the payment of",
        "order.reduced" => "took tickets back of",
        "order.refunded" => "gave money back for",
        "order.refund_failed" => "reported that a refund failed, of",
        "order.expired" | "hold.expired" => "let lapse",
        "hold.converted" => "made an order of",
        "event.ended" => "saw the end of",
        "event.refunds_requested" => "gave all buyers their money back for",
        "event.key_rotated" => "replaced the key that signs tickets of",
        "event.key_revoked" => "revoked a key that signed tickets of",
        "ticket.holder_named" => "named who comes with",
        "payment.succeeded" | "refund.succeeded" => "confirmed",
        "payment.failed" | "refund.failed" => "reported the failure of",
        "payment.unapplied" => "reported, with nothing left to pay for,",
        "dispute.won" => "decided for the organizer",
        "dispute.lost" => "decided for the buyer",
        "check_in.accepted" => "let in",
        "check_in.refused" => "turned away",
        "check_in.conflict" => "reported that two people were let in with",
        "check_in.settled" => "settled that two people seemed to be let in with",
        "check_in.annulled" => "took back the scan of",
        "check_in_list.emptied" => "let everybody out of",
        "check_in_list.capacity_reached" => "let in as many as the alert is set to, by",
        "waiting_entry.joined" => "took a place on",
        "waiting_entry.offered" => "offered tickets to the next on",
        "waiting_entry.taken" => "bought what was offered on",
        "waiting_entry.expired" => "let an offer lapse on",
        "waiting_entry.left" => "gave up a place on",
        "webhook_endpoint.secret_rotated" => "replaced the secret of",
        "dashboard_share.created" => "shared",
        "dashboard_share.updated" => "changed a link to",
        "dashboard_share.revoked" => "withdrew a link to",
        "report.sent" => "mailed",
        "alert_rule.fired" => "raised an alert by",
        "alert_rule.settled" => "ended an alert by",
        "membership.granted" => "gave a role to",
        "membership.revoked" => "took the role from",
        _ if VERBS.contains(&last) => last,
        _ => return None,
    })
}

pub(super) fn what(thing: &Thing) -> String {
    let noun = match thing.entity.as_str() {
        "check_in_list" => "check-in list".to_owned(),
        "api_token" => "API token".to_owned(),
        entity => entity.replace('_', " "),
    };
    let an = if noun.starts_with(['a', 'e', 'i', 'o', 'u', 'A']) {
        "an"
    } else {
        "a"
    };
    match (thing.entity.as_str(), &thing.name) {
        ("ticket" | "payment", Some(order)) => format!("a {noun} of order {order}"),
        ("check_in", Some(order)) => format!("a ticket of order {order}"),
        ("check_in", None) => "an unknown code".into(),
        ("waiting_entry", _) => "the waiting list".into(),
        ("dashboard_share", Some(page)) => format!("the dashboard {page}"),
        ("membership", Some(name)) => name.clone(),
        ("person", None) => "a person without a name".into(),
        (_, Some(name)) => format!("{noun} {name}"),
        (_, None) => format!("{an} {noun}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::changes::ENTITIES;
    use std::collections::BTreeSet;

    #[test]
    fn every_change_type_has_a_verb_and_no_verb_is_of_none() {
        let mut last_words = BTreeSet::new();
        for change_type in ENTITIES.iter().flat_map(|entity| entity.change_types) {
            let last = change_type.rsplit('.').next().unwrap();
            let verb = verb(change_type, last);
            assert!(verb.is_some(), "{change_type} reads as nothing");
            last_words.extend((verb == Some(last)).then_some(last));
        }
        assert_eq!(
            last_words,
            VERBS.iter().copied().collect(),
            "a verb that no change type ends with"
        );
        assert!(VERBS.is_sorted());
        assert_eq!(did("order.sent_back"), "sent back", "of a newer version");
    }

    #[test]
    fn doors_and_waiting_lists_read_as_people_say_it() {
        let thing = |entity: &str, name: Option<&str>| Thing {
            entity: entity.into(),
            id: "1".into(),
            version: None,
            name: name.map(str::to_owned),
        };
        let phone = Actor {
            kind: "device".into(),
            id: Some("d".into()),
            name: Some("Phone 1".into()),
        };
        let said = |change_type: &str, name| {
            let entity = change_type.split('.').next().unwrap();
            format!("{} {} {}", who(&phone), did(change_type), what(&thing(entity, name)))
        };
        for (change_type, name, sentence) in [
            (
                "check_in.conflict",
                Some("7F3K"),
                "Phone 1 (device) reported that two people were let in with a ticket of order 7F3K",
            ),
            (
                "check_in.settled",
                Some("7F3K"),
                "Phone 1 (device) settled that two people seemed to be let in with a ticket of order 7F3K",
            ),
            (
                "check_in.annulled",
                Some("7F3K"),
                "Phone 1 (device) took back the scan of a ticket of order 7F3K",
            ),
            (
                "check_in_list.emptied",
                Some("Main entrance"),
                "Phone 1 (device) let everybody out of check-in list Main entrance",
            ),
            (
                "waiting_entry.joined",
                None,
                "Phone 1 (device) took a place on the waiting list",
            ),
            (
                "dashboard_share.created",
                Some("money, open until 2026-12-27"),
                "Phone 1 (device) shared the dashboard money, open until 2026-12-27",
            ),
            (
                "alert_rule.fired",
                Some("Sales stand still"),
                "Phone 1 (device) raised an alert by alert rule Sales stand still",
            ),
            ("api_token.created", None, "Phone 1 (device) created an API token"),
        ] {
            assert_eq!(said(change_type, name), sentence);
        }
    }
}
