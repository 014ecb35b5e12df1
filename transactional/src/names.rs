//! What things are called, by their ids: read when somebody looks, so that who was erased has no name.

use crate::{
    Result, Source,
    rows::placeholders,
    sql::{self, Bind, Columns},
};
use std::collections::{BTreeSet, HashMap};

/// An entity's name, such as `order`, or `user`; and an id.
pub type Reference = (String, String);

/// How to find names: the entity, and a query whose places are the ids.
const QUERIES: &[(&str, &str)] = &[
    (
        "user",
        "select user_id as id, coalesce(name, email) as name from users where user_id in ",
    ),
    ("organizer", "select id as id, name from organizers where id in "),
    (
        "api_token",
        "select api_token_id as id, name from api_tokens where api_token_id in ",
    ),
    ("venue", "select venue_id as id, name from venues where venue_id in "),
    (
        "event",
        "select event_id as id, title as name from events where event_id in ",
    ),
    ("pool", "select pool_id as id, name from pools where pool_id in "),
    (
        "ticket_type",
        "select ticket_type_id as id, name from ticket_types where ticket_type_id in ",
    ),
    (
        "promo_code",
        "select promo_code_id as id, code as name from promo_codes where promo_code_id in ",
    ),
    (
        "person",
        "select person_id as id, coalesce(name, email) as name from people where person_id in ",
    ),
    (
        "order",
        "select order_id as id, code as name from orders where order_id in ",
    ),
    (
        "check_in_list",
        "select check_in_list_id as id, name from check_in_lists where check_in_list_id in ",
    ),
    ("gate", "select gate_id as id, name from gates where gate_id in "),
    (
        "device",
        "select device_id as id, name from devices where device_id in ",
    ),
    (
        "webhook_endpoint",
        "select webhook_endpoint_id as id, host as name from webhook_endpoints where webhook_endpoint_id in ",
    ),
    (
        "dashboard_share",
        "select dashboard_share_id as id, page as name, expires_at from dashboard_shares where dashboard_share_id in ",
    ),
    (
        "report",
        "select report_id as id, name from reports where report_id in ",
    ),
    (
        "alert_rule",
        "select alert_rule_id as id, name from alert_rules where alert_rule_id in ",
    ),
    (
        "membership",
        "select m.membership_id as id, coalesce(u.name, u.email) as name from memberships m
         join users u on u.user_id = m.user_id where m.membership_id in ",
    ),
    // A ticket goes by its order's code.
    (
        "ticket",
        "select t.ticket_id as id, o.code as name from tickets t join orders o on o.order_id = t.order_id
         where t.ticket_id in ",
    ),
    (
        "payment",
        "select p.payment_id as id, o.code as name from payments p join orders o on o.order_id = p.order_id
         where p.payment_id in ",
    ),
];

/// The names of those that have one.
pub async fn names(db: &mut impl Source, wanted: &BTreeSet<Reference>) -> Result<HashMap<Reference, String>> {
    let mut names = HashMap::new();
    for (entity, query) in QUERIES {
        let ids: Vec<&String> = wanted.iter().filter(|(of, _)| of == entity).map(|(_, id)| id).collect();
        if ids.is_empty() {
            continue;
        }
        let sql = format!("{query}{}", placeholders(1, ids.len()));
        for row in sql::all(db, sql, ids.iter().map(|id| id.value()).collect()).await? {
            let Some(mut name) = row.maybe_text("name")? else {
                continue;
            };
            if *entity == "dashboard_share" {
                let until = row.time("expires_at")?.to_string();
                name = format!("{name}, open until {}", until.split('T').next().unwrap_or_default());
            }
            names.insert(((*entity).to_owned(), row.text("id")?), name);
        }
    }
    Ok(names)
}
