//! Who did what to which thing when, read from the stream of changes in the lake. A change names ids; what they are
//! called is looked up in the core when somebody reads, so that who was erased stays so.

mod sentences;

use crate::{
    problem::{Problem, Result},
    rows,
    view::Moment,
    wiring::App,
};
use domain::{
    OrganizerId, Timestamp,
    changes::{ENTITIES, Entity, entity_named, entity_of},
    record::Kind,
};
use lakehouse::Principal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use transactional::{
    Cursor, Page, PageRequest,
    names::{self, Reference},
};
use utoipa::ToSchema;

/// Which changes are asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only of things that have this column with this id, such as `event_id`.
    pub of: Option<(&'static str, String)>,
    pub entity: Option<String>,
    pub entity_id: Option<String>,
    pub change_type: Option<String>,
    pub actor: Option<String>,
    pub from: Option<Timestamp>,
    /// Up to, and without, this moment.
    pub to: Option<Timestamp>,
}

/// One change, told.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the order of changes.
    seq: i64,
    change_id: String,
    #[schema(example = "Ada Owner (user) cancelled order 7F3K9QX2A of Late Quartet")]
    sentence: String,
    occurred_at: Moment,
    recorded_at: Moment,
    change_type: String,
    actor: Actor,
    thing: Thing,
    /// The event that it belongs to.
    event: Option<Thing>,
    /// The request that caused it.
    correlation_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Actor {
    /// `user`, `token`, `platform`, `provider`, `device`, `storefront`, `buyer` or `system`
    kind: String,
    id: Option<String>,
    name: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Thing {
    entity: String,
    id: String,
    version: Option<i64>,
    /// As it is called now. None: it has no name, or none any more.
    name: Option<String>,
}

/// A change as the lake has it.
#[derive(Deserialize)]
struct Row {
    seq: i64,
    change_id: String,
    change_type: String,
    entity: String,
    entity_id: String,
    entity_version: i64,
    occurred_at: Moment,
    recorded_at: Moment,
    actor: String,
    correlation_id: Option<String>,
    event_id: Option<String>,
    ticket_id: Option<String>,
}

const LONGEST_TEXT: usize = 200;

/// The newest first.
pub async fn read(app: &App, principal: &Principal, wanted: &Wanted, page: &PageRequest) -> Result<Page<AuditEntry>> {
    let limit = page.limit as usize;
    let before = page.after.as_ref().map(|cursor| cursor.key);
    let Some(sql) = sql(wanted, before, limit + 1)? else {
        return Ok(Page {
            items: Vec::new(),
            next: None,
        });
    };
    let answer = app.queries()?.session(principal).sql(&sql).await?;
    let rows = rows::values(answer).await?.into_iter().map(serde_json::from_value);
    let mut rows: Vec<Row> = rows.collect::<Result<_, _>>().map_err(Problem::internal)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| Cursor {
        key: last.seq,
        id: last.change_id.clone(),
    });
    let wanted: BTreeSet<Reference> = rows.iter().flat_map(references).collect();
    let names = names::names(&mut app.store.read().await?, &wanted).await?;
    let items = rows.into_iter().map(|row| tell(row, &names)).collect();
    Ok(Page { items, next })
}

/// None: no entity can have what is asked for.
fn sql(wanted: &Wanted, before: Option<i64>, limit: usize) -> Result<Option<String>> {
    let known = |what: &str, known: bool| match known {
        true => Ok(()),
        false => Err(Problem::new("invalid_parameter", format!("there is no such {what}"))),
    };
    known(
        "entity",
        wanted.entity.as_ref().is_none_or(|name| entity_named(name).is_some()),
    )?;
    known(
        "change type",
        wanted.change_type.as_ref().is_none_or(|name| entity_of(name).is_some()),
    )?;
    let mut conditions = Vec::new();
    let texts = [
        ("entity_id", &wanted.entity_id),
        ("change_type", &wanted.change_type),
        ("actor", &wanted.actor),
    ];
    for (column, text) in texts {
        if let Some(text) = text {
            conditions.push(format!("{column} = {}", quoted(text)?));
        }
    }
    for (comparison, at) in [(">=", wanted.from), ("<", wanted.to)] {
        if let Some(at) = at {
            conditions.push(format!("recorded_at {comparison} timestamp '{at}'"));
        }
    }
    if let Some(seq) = before {
        conditions.push(format!("seq < {seq}"));
    }
    let mut parts = Vec::new();
    for entity in ENTITIES {
        let asked = wanted.entity.as_ref().is_none_or(|name| name == entity.name);
        let mut conditions = conditions.clone();
        if let Some((column, id)) = &wanted.of {
            match has(entity, column) {
                true => conditions.push(format!("{column} = {}", quoted(id)?)),
                false => continue,
            }
        }
        if asked {
            parts.push(part(entity, &conditions));
        }
    }
    let all = parts.join("\nunion all ");
    Ok((!parts.is_empty()).then(|| format!("select * from (\n{all}\n) changes order by seq desc limit {limit}")))
}

fn part(entity: &Entity, conditions: &[String]) -> String {
    let column = |name: &str| match has(entity, name) {
        true => name.to_owned(),
        false => format!("cast(null as varchar) as {name}"),
    };
    let conditions = match conditions {
        [] => String::new(),
        some => format!(" where {}", some.join(" and ")),
    };
    format!(
        "select seq, change_id, change_type, entity, entity_id, entity_version, occurred_at, recorded_at, actor, \
         correlation_id, {}, {} from {}{conditions}",
        column("event_id"),
        column("ticket_id"),
        entity.table,
    )
}

fn has(entity: &Entity, column: &str) -> bool {
    let is = |field: &domain::record::Field| field.name == column && field.kind == Kind::Text;
    entity.fields.iter().any(is)
}

/// A text as SQL writes it.
fn quoted(text: &str) -> Result<String> {
    if text.len() > LONGEST_TEXT {
        let detail = format!("a filter has at most {LONGEST_TEXT} bytes");
        return Err(Problem::new("invalid_parameter", detail));
    }
    Ok(format!("'{}'", text.replace('\'', "''")))
}

/// What a sentence about this change has to name.
fn references(row: &Row) -> Vec<Reference> {
    let (kind, id) = actor_of(&row.actor);
    let actor = named_entity(kind)
        .zip(id)
        .map(|(entity, id)| (entity.to_owned(), id.to_owned()));
    let event = row.event_id.clone().map(|id| ("event".to_owned(), id));
    let ticket = row.ticket_id.clone().map(|id| ("ticket".to_owned(), id));
    let thing = (row.entity.clone(), row.entity_id.clone());
    [actor, event, ticket, Some(thing)].into_iter().flatten().collect()
}

/// What an actor of this kind is called by.
fn named_entity(kind: &str) -> Option<&'static str> {
    match kind {
        "user" => Some("user"),
        "token" => Some("api_token"),
        "device" => Some("device"),
        _ => None,
    }
}

fn actor_of(actor: &str) -> (&str, Option<&str>) {
    match actor.split_once(':') {
        Some((kind, id)) => (kind, Some(id)),
        None => (actor, None),
    }
}

fn tell(row: Row, names: &HashMap<Reference, String>) -> AuditEntry {
    let name = |entity: &str, id: &str| names.get(&(entity.to_owned(), id.to_owned())).cloned();
    let (kind, id) = actor_of(&row.actor);
    let actor = Actor {
        kind: kind.to_owned(),
        id: id.map(str::to_owned),
        name: match (named_entity(kind), id) {
            (Some(entity), Some(id)) => name(entity, id),
            (_, id) => id.map(str::to_owned),
        },
    };
    let event = row.event_id.as_ref().map(|id| Thing {
        entity: "event".into(),
        id: id.clone(),
        version: None,
        name: name("event", id),
    });
    let thing = Thing {
        name: match (&row.ticket_id, row.entity.as_str()) {
            (Some(ticket), "check_in") => name("ticket", ticket),
            _ => name(&row.entity, &row.entity_id),
        },
        entity: row.entity,
        id: row.entity_id,
        version: Some(row.entity_version),
    };
    let of = event.as_ref().filter(|_| thing.entity != "event");
    let of = of
        .and_then(|event| event.name.as_ref())
        .map(|title| format!(" of {title}"));
    AuditEntry {
        sentence: format!(
            "{} {} {}{}",
            sentences::who(&actor),
            sentences::did(&row.change_type),
            sentences::what(&thing),
            of.unwrap_or_default()
        ),
        seq: row.seq,
        change_id: row.change_id,
        occurred_at: row.occurred_at,
        recorded_at: row.recorded_at,
        change_type: row.change_type,
        actor,
        thing,
        event,
        correlation_id: row.correlation_id,
    }
}

/// An organizer's part of the lake, with the changes of people.
pub fn principal(id: String, organizer: OrganizerId) -> Principal {
    Principal {
        id,
        organizer: Some(organizer),
        personal_data: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(change_type: &str, actor: &str, event_id: Option<&str>) -> Row {
        Row {
            seq: 1,
            change_id: "c".into(),
            change_type: change_type.into(),
            entity: change_type.split('.').next().unwrap().into(),
            entity_id: "1".into(),
            entity_version: 2,
            occurred_at: Moment(Timestamp::from_micros(1)),
            recorded_at: Moment(Timestamp::from_micros(1)),
            actor: actor.into(),
            correlation_id: None,
            event_id: event_id.map(str::to_owned),
            ticket_id: change_type.starts_with("check_in").then(|| "t".to_owned()),
        }
    }

    #[test]
    fn a_change_is_told_with_names_and_without_those_that_are_gone() {
        let named = [
            (("user", "u"), "Ada Owner"),
            (("order", "1"), "7F3K"),
            (("ticket", "t"), "7F3K"),
            (("event", "e"), "Late Quartet"),
        ];
        let own = |((entity, id), name): ((&str, &str), &str)| ((entity.to_owned(), id.to_owned()), name.to_owned());
        let names = named.map(own).into();
        let said = |change_type, actor, event| tell(row(change_type, actor, event), &names).sentence;
        assert_eq!(
            said("order.cancelled", "user:u", Some("e")),
            "Ada Owner (user) cancelled order 7F3K of Late Quartet"
        );
        assert_eq!(
            said("check_in.accepted", "token:gone", Some("e")),
            "A program (API token) let in a ticket of order 7F3K of Late Quartet"
        );
        assert_eq!(
            said("person.erased", "platform:server", None),
            "server (the platform) erased a person without a name"
        );
        assert_eq!(
            said("event.published", "user:gone", Some("x")),
            "Somebody (user) published an event"
        );
        assert_eq!(
            said("order.expired", "system", Some("e")),
            "Bilten let lapse order 7F3K of Late Quartet"
        );
    }

    #[test]
    fn a_filter_is_a_value_and_never_sql() {
        let wanted = Wanted {
            actor: Some("user:' or '1' = '1".into()),
            of: Some(("ticket_id", "t".into())),
            ..Wanted::default()
        };
        let sql = sql(&wanted, Some(7), 51).unwrap().unwrap();
        assert!(sql.contains("actor = 'user:'' or ''1'' = ''1'"), "{sql}");
        assert!(
            sql.contains("ticket_changes") && sql.contains("check_in_changes"),
            "{sql}"
        );
        assert!(!sql.contains("order_changes"), "{sql}");
        let unknown = |entity: &str| Wanted {
            entity: Some(entity.into()),
            ..Wanted::default()
        };
        assert!(super::sql(&unknown("nothing'"), None, 1).is_err());
        assert!(super::sql(&Wanted::default(), None, 1).unwrap().unwrap().len() < 16 * 1024);
    }
}
