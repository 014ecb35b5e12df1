//! Outgoing webhooks. The worker makes a delivery of each change that an endpoint asks for, in the order of changes and
//! from a position of its own, so that none is lost; each is then attempted until it is taken, or for three days.

use crate::{
    Cursor, Error, Page, PageRequest, Result, Source, Store, Stored, Tx,
    dialect::Row,
    outbox,
    page::MOST_ITEMS,
    rows, secrets,
    secrets::Key,
    sql::{self, Columns, Value, binds},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    OrganizerId, Timestamp, WebhookDeliveryId, WebhookEndpointId,
    changes::{Change, ListedChangeType, WebhookEndpoint, entity_named, entity_of},
    message::DeliveryStatus,
};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

#[derive(Clone, Debug)]
pub struct EndpointDetails {
    pub url: String,
    pub host: String,
    /// Empty: every change.
    pub change_types: Vec<String>,
    pub active: bool,
}

/// An endpoint with its address, for who may manage it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub endpoint: Stored<WebhookEndpoint>,
    pub url: String,
}

/// What is to be sent now, and where to.
#[derive(Clone)]
pub struct DueDelivery {
    pub webhook_delivery_id: WebhookDeliveryId,
    pub webhook_endpoint_id: WebhookEndpointId,
    pub url: String,
    /// `whsec_` and base64, as the endpoint's owner has them: the one in force, and for a while the one before it.
    pub secrets: Vec<String>,
    pub body: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub webhook_delivery_id: WebhookDeliveryId,
    pub webhook_endpoint_id: WebhookEndpointId,
    pub seq: i64,
    pub change_id: String,
    pub change_type: String,
    pub status: DeliveryStatus,
    pub attempts: i64,
    pub created_at: Timestamp,
    /// Of one that waits.
    pub next_try_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub response_status: Option<i64>,
    pub reason: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// None: there was no answer.
    pub response_status: Option<u16>,
    pub reason: Option<String>,
    /// How long the endpoint asks to be left alone.
    pub retry_after: Option<Duration>,
    pub at: Timestamp,
}

/// The pauses after failed attempts, as the specification of Standard Webhooks suggests them: three days in all.
/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
const PAUSES: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(14 * 3600),
    Duration::from_secs(20 * 3600),
    Duration::from_secs(24 * 3600),
];
/// A pause is longer or shorter by up to this part of it, so that what failed together does not come again together.
const SPREAD: f64 = 0.1;
/// An endpoint that asks for more is asked again all the same.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// How long an endpoint's old secret signs beside the new one: its owner has a day to put the new one in place.
pub const BOTH_SIGN_FOR: Duration = Duration::from_secs(24 * 3600);
const GONE: u16 = 410;
const MOST_ENDPOINTS: usize = 20;
/// How long deliveries that have ended can be looked at, and sent again.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Changes that become deliveries in one command.
const TOGETHER: usize = 500;
/// Deliveries of one endpoint that are attempted in a row.
const IN_A_ROW: i64 = 20;
/// Without endpoints, the position moves on in steps of so many changes: each costs a commit.
const STRIDE: i64 = 1_000;
const SEAL: &str = "webhook";

/// Answers the endpoint's secret too, which is shown this once.
pub async fn create(tx: &mut Tx, organizer_id: OrganizerId, details: EndpointDetails) -> Result<(Endpoint, String)> {
    crate::organizers::get(tx, organizer_id).await?;
    if list(tx, organizer_id).await?.len() >= MOST_ENDPOINTS {
        let message = format!("an organizer has at most {MOST_ENDPOINTS} webhook endpoints");
        return Err(Error::refused("too_many", message));
    }
    let id = WebhookEndpointId::new();
    let record = WebhookEndpoint {
        webhook_endpoint_id: id,
        host: details.host,
        change_types: listed(details.change_types)?,
        active: details.active,
        created_at: tx.now(),
        disabled_reason: None,
    };
    let (secret, sealed) = new_secret(tx, id)?;
    let private = [
        ("url", Value::Text(details.url.clone())),
        ("secret", Value::Text(sealed)),
    ];
    let endpoint = tx.create_with(organizer_id, "webhook_endpoint.created", record, &private)?;
    let url = details.url;
    Ok((Endpoint { endpoint, url }, secret))
}

/// Answers a new secret, which is shown this once. The old one signs beside it for [`BOTH_SIGN_FOR`].
pub async fn rotate_secret(tx: &mut Tx, id: WebhookEndpointId) -> Result<(Endpoint, String)> {
    let Endpoint { mut endpoint, url } = get(tx, id).await?;
    let sql = "select old_secret_until from webhook_endpoints where webhook_endpoint_id = $1";
    let until = sql::one(tx, sql, binds![id]).await?.maybe_time("old_secret_until")?;
    if let Some(until) = until.filter(|until| *until > tx.now()) {
        let message = "the secret was changed a short time ago, and the one before still signs beside it";
        return Err(Error::conflict("rotating", message).retry_after(until.since(tx.now())));
    }
    let (secret, sealed) = new_secret(tx, id)?;
    let sql = "update webhook_endpoints set old_secret = secret, old_secret_until = $3, secret = $2
               where webhook_endpoint_id = $1";
    tx.defer(sql, binds![id, sealed, tx.now() + BOTH_SIGN_FOR], 1);
    tx.change("webhook_endpoint.secret_rotated", &mut endpoint)?;
    Ok((Endpoint { endpoint, url }, secret))
}

/// As its owner gets it, and as it is stored.
fn new_secret(tx: &Tx, id: WebhookEndpointId) -> Result<(String, String)> {
    let secret = format!("whsec_{}", STANDARD.encode(secrets::random_bytes()));
    let sealed = tx.key.seal(SEAL, &id.to_string(), &secret)?;
    Ok((secret, sealed))
}

pub async fn update(tx: &mut Tx, id: WebhookEndpointId, details: EndpointDetails) -> Result<Endpoint> {
    let Endpoint { mut endpoint, url } = get(tx, id).await?;
    let record = WebhookEndpoint {
        host: details.host,
        change_types: listed(details.change_types)?,
        active: details.active,
        disabled_reason: endpoint.disabled_reason.clone().filter(|_| !details.active),
        ..endpoint.value.clone()
    };
    if record != endpoint.value || url != details.url {
        let sql = "update webhook_endpoints set url = $2 where webhook_endpoint_id = $1";
        tx.defer(sql, binds![id, details.url], 1);
        endpoint.value = record;
        tx.change("webhook_endpoint.updated", &mut endpoint)?;
    }
    let url = details.url;
    Ok(Endpoint { endpoint, url })
}

pub async fn get(db: &mut impl Source, id: WebhookEndpointId) -> Result<Endpoint> {
    let found = find(db, "t.webhook_endpoint_id = $1", binds![id]).await?;
    let found = found.into_iter().next();
    found.ok_or_else(|| Error::not_found("webhook endpoint"))
}

pub async fn list(db: &mut impl Source, organizer_id: OrganizerId) -> Result<Vec<Endpoint>> {
    let condition = "t.organizer_id = $1 order by t.webhook_endpoint_id";
    find(db, condition, binds![organizer_id]).await
}

async fn find(db: &mut impl Source, condition: &str, values: Vec<Value>) -> Result<Vec<Endpoint>> {
    let columns = rows::columns::<WebhookEndpoint>("t");
    let sql = format!("select {columns}, t.url as url from webhook_endpoints t where {condition}");
    let found = sql::all(db, sql, values).await?;
    let read = |row| {
        Ok(Endpoint {
            endpoint: rows::decode(row, 0)?,
            url: Columns::text(row, "url")?,
        })
    };
    found.iter().map(read).collect()
}

fn listed(change_types: Vec<String>) -> Result<Vec<ListedChangeType>> {
    let unknown = change_types.iter().find(|change_type| entity_of(change_type).is_none());
    if let Some(unknown) = unknown {
        let message = format!("there is no change type {unknown:?}");
        return Err(Error::refused("unknown_change_type", message).at("change_types"));
    }
    let mut seen = HashSet::new();
    let once = change_types
        .into_iter()
        .filter(|change_type| seen.insert(change_type.clone()));
    Ok(once.map(|change_type| ListedChangeType { change_type }).collect())
}

/// Makes deliveries of the changes since last time, up to a bounded number. True: there are more.
pub async fn fan_out(store: &Store) -> Result<bool> {
    let mut db = store.peek().await?;
    let (committed, _) = outbox::committed(&mut db).await?;
    let position = outbox::position(&mut db, "webhooks").await?;
    if committed == position {
        return Ok(false);
    }
    // Asked after `committed`: an endpoint that comes later is told of what comes later.
    let endpoints = find(&mut db, "t.active = 1", vec![]).await?;
    if endpoints.is_empty() {
        if committed - position >= STRIDE {
            advance(store, position, committed, Vec::new()).await?;
        }
        return Ok(false);
    }
    let mut of: HashMap<OrganizerId, Vec<Endpoint>> = HashMap::new();
    for endpoint in endpoints {
        of.entry(endpoint.endpoint.organizer_id).or_default().push(endpoint);
    }
    let changes = outbox::changes_after(&mut db, position, TOGETHER).await?;
    drop(db);
    let Some(last) = changes.last().map(|change| change.seq) else {
        return Ok(false);
    };
    let mut made = Vec::new();
    for change in &changes {
        let wants = |endpoint: &&Endpoint| {
            let types = &endpoint.endpoint.change_types;
            let listed = types.is_empty() || types.iter().any(|listed| listed.change_type == change.change_type);
            listed && change.recorded_at >= endpoint.endpoint.created_at
        };
        for endpoint in of.get(&change.organizer_id).into_iter().flatten().filter(wants) {
            made.push(delivery(endpoint.endpoint.webhook_endpoint_id, change)?);
        }
    }
    advance(store, position, last, made).await?;
    Ok(changes.len() == TOGETHER)
}

/// Deliveries and position together, and only if nobody else has done it.
async fn advance(store: &Store, from: i64, to: i64, deliveries: Vec<Vec<Value>>) -> Result<()> {
    let command = store.write("system", move |tx| {
        Box::pin(async move {
            let now = tx.now();
            for mut values in deliveries {
                values.extend(binds![now]);
                let sql = "insert into webhook_deliveries (webhook_delivery_id, webhook_endpoint_id, seq, change_id,
                               change_type, body, status, attempts, created_at, next_try_at)
                           values ($1, $2, $3, $4, $5, $6, 'waiting', 0, $7, $7)";
                tx.defer(sql, values, 1);
            }
            let sql = "update positions set value = $2, at = $3 where name = 'webhooks' and value = $1";
            tx.defer(sql, binds![from, to, now], 1);
            Ok(())
        })
    });
    command.await
}

fn delivery(endpoint: WebhookEndpointId, change: &Change) -> Result<Vec<Value>> {
    Ok(binds![
        WebhookDeliveryId::new(),
        endpoint,
        change.seq,
        change.change_id.to_string(),
        change.change_type,
        body(change)?
    ])
}

/// The change with its entity's record. What is personal stays here: what was sent can't be erased.
fn body(change: &Change) -> Result<String> {
    let mut data: Json = serde_json::from_str(&change.payload)?;
    let personal = entity_named(&change.entity).map_or(&[][..], |entity| entity.personal);
    if let Json::Object(record) = &mut data {
        for field in personal {
            record.remove(*field);
        }
    }
    let body = json!({
        "type": change.change_type,
        "timestamp": change.occurred_at.to_string(),
        "change_id": change.change_id,
        "seq": change.seq,
        "organizer_id": change.organizer_id,
        "entity": change.entity,
        "entity_id": change.entity_id,
        "entity_version": change.entity_version,
        "data": data,
    });
    Ok(body.to_string())
}

/// What may be sent at this time: of each endpoint some, in the order of changes.
pub async fn due(store: &Store, at: Timestamp, limit: i64) -> Result<Vec<DueDelivery>> {
    let sql = "select * from (
                   select d.webhook_delivery_id as webhook_delivery_id, d.webhook_endpoint_id as webhook_endpoint_id,
                       d.body as body, d.seq as seq, e.url as url, e.secret as secret,
                       case when e.old_secret_until > $1 then e.old_secret end as old_secret,
                       row_number() over (partition by d.webhook_endpoint_id order by d.seq) as place
                   from webhook_deliveries d
                   join webhook_endpoints e on e.webhook_endpoint_id = d.webhook_endpoint_id
                   where d.status = 'waiting' and d.next_try_at <= $1 and e.active = 1
                       and coalesce(e.paused_until, 0) <= $1) waiting
               where place <= $2 order by place, seq limit $3";
    let rows = sql::all(&mut store.peek().await?, sql, binds![at, IN_A_ROW, limit]).await?;
    rows.iter().map(|row| read_due(row, store.key())).collect()
}

fn read_due(row: &Row, key: &Key) -> Result<DueDelivery> {
    let id: WebhookEndpointId = row.parse("webhook_endpoint_id")?;
    let sealed = [Some(row.text("secret")?), row.maybe_text("old_secret")?];
    let open = |sealed: String| key.open(SEAL, &id.to_string(), &sealed);
    Ok(DueDelivery {
        webhook_delivery_id: row.parse("webhook_delivery_id")?,
        webhook_endpoint_id: id,
        url: row.text("url")?,
        secrets: sealed.into_iter().flatten().map(open).collect::<Result<_>>()?,
        body: row.text("body")?,
    })
}

/// Records how an attempt ended. One that failed is made again later; an endpoint that says it is gone is turned off.
pub async fn record(tx: &mut Tx, id: WebhookDeliveryId, attempt: Attempt) -> Result<DeliveryStatus> {
    let sql = "select attempts, webhook_endpoint_id from webhook_deliveries
               where webhook_delivery_id = $1 and status = 'waiting'";
    let row = sql::optional(tx, sql, binds![id]).await?;
    let row = row.ok_or_else(|| Error::not_found("delivery that waits"))?;
    let attempts = row.int("attempts")? + 1;
    let endpoint_id: WebhookEndpointId = row.parse("webhook_endpoint_id")?;
    let pause = usize::try_from(attempts - 1).ok().and_then(|index| PAUSES.get(index));
    let status = match (attempt.response_status, pause) {
        (Some(200..300), _) => DeliveryStatus::Delivered,
        (Some(GONE), _) | (_, None) => DeliveryStatus::Failed,
        (_, Some(_)) => DeliveryStatus::Waiting,
    };
    let next = attempt.at + pause.map(|pause| spread(*pause, id, attempts)).unwrap_or_default();
    let finished_at = (status != DeliveryStatus::Waiting).then_some(attempt.at);
    let sql = "update webhook_deliveries set status = $2, attempts = $3, next_try_at = $4, finished_at = $5,
                   response_status = $6, reason = $7
               where webhook_delivery_id = $1";
    let response = attempt.response_status.map(i64::from);
    let values = binds![id, status, attempts, next, finished_at, response, attempt.reason];
    sql::execute(tx, sql, values).await?;
    if attempt.response_status == Some(GONE) {
        disable(tx, endpoint_id, "it answered 410 Gone", attempt.at).await?;
    } else if let Some(wait) = attempt.retry_after.filter(|_| status == DeliveryStatus::Waiting) {
        let sql = "update webhook_endpoints set paused_until = $2 where webhook_endpoint_id = $1";
        let until = attempt.at + wait.min(LONGEST_RETRY_AFTER);
        sql::execute(tx, sql, binds![endpoint_id, until]).await?;
    }
    Ok(status)
}

/// A pause with its jitter. It is drawn from delivery and attempt, so that it is the same whenever it is asked for.
fn spread(pause: Duration, id: WebhookDeliveryId, attempts: i64) -> Duration {
    let hash = Sha256::digest(format!("{id}:{attempts}"));
    let drawn = f64::from(u16::from_be_bytes([hash[0], hash[1]])) / f64::from(u16::MAX);
    pause.mul_f64(1.0 + SPREAD * (2.0 * drawn - 1.0))
}

async fn disable(tx: &mut Tx, id: WebhookEndpointId, why: &str, at: Timestamp) -> Result<()> {
    let mut endpoint = get(tx, id).await?.endpoint;
    if endpoint.active {
        (endpoint.active, endpoint.disabled_reason) = (false, Some(why.to_owned()));
        tx.change("webhook_endpoint.disabled", &mut endpoint)?;
    }
    let sql =
        "update webhook_deliveries set status = 'failed', finished_at = $2, reason = 'the endpoint was turned off'
               where webhook_endpoint_id = $1 and status = 'waiting'";
    sql::execute(tx, sql, binds![id, at]).await.map(drop)
}

/// The newest first.
pub async fn deliveries(
    db: &mut impl Source,
    endpoint_id: WebhookEndpointId,
    status: Option<DeliveryStatus>,
    page: PageRequest,
) -> Result<Page<Delivery>> {
    let limit = page.limit.clamp(1, MOST_ITEMS) as usize;
    let (before, id) = page
        .after
        .map_or((i64::MAX, "~".to_owned()), |cursor| (cursor.key, cursor.id));
    let sql =
        "select * from webhook_deliveries where webhook_endpoint_id = $1 and (seq, webhook_delivery_id) < ($2, $3)
                   and ($4 = '' or status = $4)
               order by seq desc, webhook_delivery_id desc limit $5";
    let status = status.map_or("", DeliveryStatus::as_str);
    let values = binds![endpoint_id, before, id, status, limit as i64 + 1];
    let rows = sql::all(db, sql, values).await?;
    let more = rows.len() > limit;
    let items: Vec<Delivery> = rows.iter().take(limit).map(read_delivery).collect::<Result<_>>()?;
    let next = items.last().filter(|_| more).map(|last| Cursor {
        key: last.seq,
        id: last.webhook_delivery_id.to_string(),
    });
    Ok(Page { items, next })
}

pub async fn get_delivery(db: &mut impl Source, id: WebhookDeliveryId) -> Result<Delivery> {
    let sql = "select * from webhook_deliveries where webhook_delivery_id = $1";
    let row = sql::optional(db, sql, binds![id]).await?;
    read_delivery(&row.ok_or_else(|| Error::not_found("delivery"))?)
}

/// Sends it once more, under the same id, with all its attempts before it.
pub async fn send_again(tx: &mut Tx, id: WebhookDeliveryId) -> Result<Delivery> {
    let delivery = get_delivery(tx, id).await?;
    if !get(tx, delivery.webhook_endpoint_id).await?.endpoint.active {
        return Err(Error::conflict("endpoint_off", "turn the webhook endpoint on first"));
    }
    let sql = "update webhook_deliveries set status = 'waiting', attempts = 0, next_try_at = $2, finished_at = null
               where webhook_delivery_id = $1";
    let now = tx.now();
    sql::execute(tx, sql, binds![id, now]).await?;
    let sql = "update webhook_endpoints set paused_until = null where webhook_endpoint_id = $1";
    sql::execute(tx, sql, binds![delivery.webhook_endpoint_id]).await?;
    get_delivery(tx, id).await
}

pub(crate) async fn sweep(tx: &mut Tx, now: Timestamp, most: i64) -> Result<u64> {
    let sql = "delete from webhook_deliveries where webhook_delivery_id in
                   (select webhook_delivery_id from webhook_deliveries where finished_at < $1
                    order by finished_at limit $2)";
    sql::execute(tx, sql, binds![now - REMEMBERED, most]).await
}

fn read_delivery(row: &Row) -> Result<Delivery> {
    let status: DeliveryStatus = row.parse("status")?;
    Ok(Delivery {
        webhook_delivery_id: row.parse("webhook_delivery_id")?,
        webhook_endpoint_id: row.parse("webhook_endpoint_id")?,
        seq: row.int("seq")?,
        change_id: row.text("change_id")?,
        change_type: row.text("change_type")?,
        status,
        attempts: row.int("attempts")?,
        created_at: row.time("created_at")?,
        next_try_at: (status == DeliveryStatus::Waiting).then_some(row.time("next_try_at")?),
        finished_at: row.maybe_time("finished_at")?,
        response_status: row.maybe_int("response_status")?,
        reason: row.maybe_text("reason")?,
    })
}
