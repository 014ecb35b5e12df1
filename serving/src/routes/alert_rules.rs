use super::insights::{RecipientView, language, recipients};
use crate::{
    auth::Identity,
    extract::{Body, Id, Params, Spoken},
    insights,
    problem::{Problem, Result},
    view::{Moment, Page, PageQuery, page_of},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{
    AlertRuleId, Currency, Label, OrganizerId,
    alert::{Condition, TimeWindow},
    changes::{AlertRule, RuleFilter},
    message::Language,
    role::Permission,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::{
    Source, Stored,
    insights::alerts::{self, LastLook, RuleDetails},
    organizers,
};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRuleInput {
    #[schema(value_type = String, example = "Sales stand still")]
    #[serde(deserialize_with = "crate::view::typed")]
    name: Label,
    /// One of `GET /v1/metrics`.
    #[schema(example = "net_sales")]
    metric: String,
    /// By dimensions of the metric.
    #[serde(default)]
    filters: Vec<RuleFilterView>,
    /// Of a metric that is money; the organizer's own if nothing is said. Amounts in others are left out.
    #[schema(value_type = Option<String>, example = "EUR")]
    currency: Option<Currency>,
    /// `last_hour`, `today`, `last_24_hours` or `last_7_days`, on the organizer's clocks. A metric that is counted a day
    /// has `today`, which is not held against the usual, and `last_7_days`, which are the seven before today.
    #[schema(value_type = String, example = "last_hour")]
    time_window: TimeWindow,
    /// `above` or `below`; or `unusual`, `unusually_high` or `unusually_low` against the median of the same time of the
    /// same weekday of the last 8 weeks, of which there have to be 4.
    #[schema(value_type = String, example = "below")]
    condition: Condition,
    /// In the metric's unit (minor units of money, seconds, a ratio, or what it counts); against the usual, in percent.
    #[schema(example = 10_000)]
    threshold: f64,
    /// The alert is over when its condition has not held for so long: a minute to a day.
    #[serde(default = "half_an_hour")]
    #[schema(default = 30, minimum = 1, maximum = 1_440)]
    quiet_minutes: i64,
    /// `en`, `de` or `ar`. The nearest to `Accept-Language` if nothing is said.
    #[schema(value_type = Option<String>, example = "en")]
    language: Option<Language>,
    /// 1 to 20 members who may see figures, by `user_id` or e-mail address.
    #[schema(example = json!(["ada@example.org"]))]
    recipients: Vec<String>,
    #[serde(default)]
    paused: bool,
}

fn half_an_hour() -> i64 {
    30
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleFilterView {
    #[schema(example = "channel")]
    dimension: String,
    /// Rows with one of these values; null is a row without one.
    #[serde(rename = "in")]
    #[schema(example = json!(["online"]))]
    values: Vec<Option<String>>,
}

#[derive(Serialize, ToSchema)]
pub struct AlertRuleView {
    alert_rule_id: String,
    organizer_id: String,
    version: i64,
    name: String,
    metric: String,
    filters: Vec<RuleFilterView>,
    currency: Option<String>,
    time_window: &'static str,
    condition: &'static str,
    threshold: f64,
    quiet_minutes: i64,
    language: &'static str,
    /// Those who are members now.
    recipients: Vec<RecipientView>,
    paused: bool,
    created_at: Moment,
    /// `new` (not looked at yet), `ok`, `firing`, `too_little_history` (fewer than 4 weeks; nobody is told of anything) or
    /// `paused`
    #[schema(example = "ok")]
    state: &'static str,
    /// Since when it fires.
    since: Option<Moment>,
    last_value: Option<f64>,
    /// The median of the weeks before.
    usual: Option<f64>,
    last_checked_at: Option<Moment>,
    /// Why the last look has seen nothing.
    last_error: Option<String>,
}

impl AlertRuleInput {
    fn details(self, home: Currency, spoken: Language) -> Result<RuleDetails> {
        let mut filters = Vec::new();
        for (place, RuleFilterView { dimension, values }) in self.filters.into_iter().enumerate() {
            if values.is_empty() {
                return Err(Problem::invalid(
                    &format!("/filters/{place}/in"),
                    "a filter has 1 to 200 values",
                ));
            }
            filters.extend(values.into_iter().map(|value| RuleFilter {
                dimension: dimension.clone(),
                value,
            }));
        }
        let (window, condition) = (self.time_window, self.condition);
        let currency = insights::check(&self.metric, &filters, window, condition, self.currency, home)?;
        Ok(RuleDetails {
            name: self.name,
            metric: self.metric,
            filters,
            currency,
            time_window: window,
            condition,
            threshold: self.threshold,
            quiet_minutes: self.quiet_minutes,
            language: language(self.language, spoken),
            recipients: self.recipients,
            paused: self.paused,
        })
    }
}

/// Watch a metric
///
/// It is looked at once a minute. One mail tells when the condition begins to hold, and one when it has not held for
/// `quiet_minutes`: what goes to and fro in between is one alert. At most 100.
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/alert-rules", tag = "insights",
    request_body = AlertRuleInput, params(("organizer_id" = String, Path)),
    responses((status = 201, body = AlertRuleView), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn create_alert_rule(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Spoken(spoken): Spoken,
    Body(input): Body<AlertRuleInput>,
) -> Result<(StatusCode, Json<AlertRuleView>)> {
    identity.require(organizer_id, Permission::ReadLake)?;
    let home = organizers::get(&mut app.store.read().await?, organizer_id).await?;
    let details = input.details(home.currency, spoken)?;
    check_events(&app, organizer_id, &details).await?;
    let created = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { alerts::create(tx, organizer_id, details).await })
    });
    let created = created.await?;
    Ok((
        StatusCode::CREATED,
        Json(view(&mut app.store.read().await?, created).await?),
    ))
}

/// List alert rules, with what they saw last
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/alert-rules", tag = "insights",
    params(("organizer_id" = String, Path), PageQuery), responses((status = 200, body = Page<AlertRuleView>)))]
pub async fn list_alert_rules(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<AlertRuleView>>> {
    identity.require(organizer_id, Permission::ReadLake)?;
    let mut db = app.store.read().await?;
    let found = alerts::list(&mut db, organizer_id, query.request()?).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for rule in found.items {
        items.push(view(&mut db, rule).await?);
    }
    let page = transactional::Page {
        items,
        next: found.next,
    };
    Ok(Json(page_of(page, |view| view)))
}

/// Show an alert rule, with what it saw last
#[utoipa::path(get, path = "/v1/alert-rules/{alert_rule_id}", tag = "insights",
    params(("alert_rule_id" = String, Path)),
    responses((status = 200, body = AlertRuleView), (status = 404, body = Problem)))]
pub async fn show_alert_rule(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<AlertRuleId>,
) -> Result<Json<AlertRuleView>> {
    let rule = readable(&app, &identity, id).await?;
    Ok(Json(view(&mut app.store.read().await?, rule).await?))
}

/// Change an alert rule, or pause it
///
/// Everyone who may see the figures may: so whoever is told can stop it. A rule that was changed begins anew.
#[utoipa::path(put, path = "/v1/alert-rules/{alert_rule_id}", tag = "insights", request_body = AlertRuleInput,
    params(("alert_rule_id" = String, Path)),
    responses((status = 200, body = AlertRuleView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn update_alert_rule(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<AlertRuleId>,
    Body(input): Body<AlertRuleInput>,
) -> Result<Json<AlertRuleView>> {
    let rule = readable(&app, &identity, id).await?;
    let home = organizers::get(&mut app.store.read().await?, rule.organizer_id).await?;
    let details = input.details(home.currency, rule.language)?;
    check_events(&app, rule.organizer_id, &details).await?;
    let updated = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { alerts::update(tx, id, details).await })
    });
    let updated = updated.await?;
    Ok(Json(view(&mut app.store.read().await?, updated).await?))
}

/// Delete an alert rule
#[utoipa::path(delete, path = "/v1/alert-rules/{alert_rule_id}", tag = "insights",
    params(("alert_rule_id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn delete_alert_rule(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<AlertRuleId>,
) -> Result<StatusCode> {
    readable(&app, &identity, id).await?;
    let deleted = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { alerts::delete(tx, id).await })
    });
    deleted.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A rule watches the organizer's own events.
async fn check_events(app: &App, organizer_id: OrganizerId, details: &RuleDetails) -> Result<()> {
    let filters = details.filters.iter().filter(|filter| filter.dimension == "event_id");
    let named = filters.filter_map(|filter| filter.value.as_deref());
    insights::check_events(app, organizer_id, named, "/filters").await
}

async fn readable(app: &App, identity: &Identity, id: AlertRuleId) -> Result<Stored<AlertRule>> {
    let rule = alerts::get(&mut app.store.read().await?, id).await?;
    identity.require(rule.organizer_id, Permission::ReadLake)?;
    Ok(rule)
}

async fn view(db: &mut impl Source, rule: Stored<AlertRule>) -> Result<AlertRuleView> {
    let last = alerts::last_look(db, rule.alert_rule_id).await?;
    let recipients = recipients(db, rule.organizer_id, &rule.recipients).await?;
    let state = state(&rule, &last);
    let Stored {
        organizer_id,
        version,
        value: rule,
    } = rule;
    let mut filters: Vec<RuleFilterView> = Vec::new();
    for RuleFilter { dimension, value } in rule.filters {
        match filters.last_mut().filter(|filter| filter.dimension == dimension) {
            Some(filter) => filter.values.push(value),
            None => filters.push(RuleFilterView {
                dimension,
                values: vec![value],
            }),
        }
    }
    Ok(AlertRuleView {
        alert_rule_id: rule.alert_rule_id.to_string(),
        organizer_id: organizer_id.to_string(),
        version,
        name: rule.name.to_string(),
        metric: rule.metric,
        filters,
        currency: rule.currency.map(|currency| currency.to_string()),
        time_window: rule.time_window.as_str(),
        condition: rule.condition.as_str(),
        threshold: rule.threshold,
        quiet_minutes: rule.quiet_minutes,
        language: rule.language.as_str(),
        recipients,
        paused: rule.paused,
        created_at: Moment(rule.created_at),
        state,
        since: rule.firing_since.map(Moment),
        last_value: last.seen.value,
        usual: last.seen.usual,
        last_checked_at: last.at.map(Moment),
        last_error: last.error,
    })
}

fn state(rule: &AlertRule, last: &LastLook) -> &'static str {
    let needs_usual = rule.condition.is_against_usual();
    match (rule.paused, rule.firing_since, last.at) {
        (true, ..) => "paused",
        (_, Some(_), _) => "firing",
        (.., None) => "new",
        _ if needs_usual && last.seen.usual.is_none() && last.error.is_none() => "too_little_history",
        _ => "ok",
    }
}
