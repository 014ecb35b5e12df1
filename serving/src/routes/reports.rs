use super::insights::{RecipientView, language, recipients};
use crate::{
    auth::Identity,
    extract::{Body, Id, Once, Params, Spoken},
    insights,
    problem::{Problem, Result},
    view::{Moment, Page, PageQuery, page_of},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{
    Label, OrganizerId, ReportId,
    changes::Report,
    message::Language,
    role::Permission,
    schedule::{Every, ScheduleInput, Weekday},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::{
    Source, Stored,
    insights::reports::{self, ReportDetails},
    organizers,
};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportInput {
    #[schema(value_type = String, example = "Monday numbers")]
    #[serde(deserialize_with = "crate::view::typed")]
    name: Label,
    /// The dashboard's name.
    #[schema(example = "overview")]
    page: String,
    /// The page's query string. Without `range`, `from` and `to`, a report is about the last whole day, seven days or
    /// month.
    #[serde(default)]
    #[schema(example = "filter.channel=online")]
    state: String,
    /// `day`, `week` or `month`
    #[schema(value_type = String, example = "week")]
    every: Every,
    /// Of a weekly one: `monday` to `sunday`.
    #[schema(value_type = Option<String>, example = "monday")]
    weekday: Option<Weekday>,
    /// Of a monthly one: 1 to 31, and the last day of a month that is shorter.
    #[schema(minimum = 1, maximum = 31, example = json!(null))]
    month_day: Option<i64>,
    /// The time of day. One that clocks jump over is the end of the jump; one that they show twice is the first.
    #[schema(example = "08:00")]
    at: String,
    /// The organizer's own if nothing is said.
    #[schema(example = "Europe/Vienna")]
    timezone: Option<String>,
    /// `en`, `de` or `ar`. The nearest to `Accept-Language` if nothing is said.
    #[schema(value_type = Option<String>, example = "en")]
    language: Option<Language>,
    /// 1 to 20 members who may see figures, by `user_id` or e-mail address.
    #[schema(example = json!(["ada@example.org"]))]
    recipients: Vec<String>,
    #[serde(default)]
    paused: bool,
}

#[derive(Serialize, ToSchema)]
pub struct ReportView {
    report_id: String,
    organizer_id: String,
    version: i64,
    name: String,
    page: String,
    state: String,
    every: &'static str,
    weekday: Option<&'static str>,
    month_day: Option<i64>,
    #[schema(example = "08:00")]
    at: String,
    timezone: String,
    language: &'static str,
    /// Those who are members now.
    recipients: Vec<RecipientView>,
    paused: bool,
    created_at: Moment,
    /// None: it is paused.
    next_at: Option<Moment>,
    last_sent_at: Option<Moment>,
    /// Why it could not be made the last time. It is tried again every five minutes.
    last_error: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendNowInput {}

impl ReportInput {
    /// `home` is the organizer's time zone.
    fn details(self, home: &str, spoken: Language) -> Result<ReportDetails> {
        let time = chrono::NaiveTime::parse_from_str(&self.at, "%H:%M").ok();
        let time = time.filter(|_| self.at.len() == 5);
        let time = time.ok_or_else(|| Problem::invalid("/at", "a time of day is 00:00 to 23:59"))?;
        Ok(ReportDetails {
            name: self.name,
            page: self.page,
            state: self.state,
            schedule: ScheduleInput {
                every: self.every,
                weekday: self.weekday,
                month_day: self.month_day,
                hour: chrono::Timelike::hour(&time).into(),
                minute: chrono::Timelike::minute(&time).into(),
                timezone: self.timezone.unwrap_or_else(|| home.to_owned()),
            },
            language: language(self.language, spoken),
            recipients: self.recipients,
            paused: self.paused,
        })
    }
}

/// Have a dashboard's figures mailed again and again
///
/// Each mail has the figures as text and HTML, beside those of the time before, and links to the dashboard and to where it
/// is stopped. A time that was missed is made up for by one mail. Who is no member any more gets none. At most 50.
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/reports", tag = "insights", request_body = ReportInput,
    params(("organizer_id" = String, Path)),
    responses((status = 201, body = ReportView), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn create_report(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Spoken(spoken): Spoken,
    Body(input): Body<ReportInput>,
) -> Result<(StatusCode, Json<ReportView>)> {
    identity.require(organizer_id, Permission::ReadLake)?;
    let home = organizers::get(&mut app.store.read().await?, organizer_id).await?;
    insights::check_page(&app, organizer_id, &input.page, &input.state).await?;
    let details = input.details(&home.timezone, spoken)?;
    let created = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { reports::create(tx, organizer_id, details).await })
    });
    let created = created.await?;
    Ok((
        StatusCode::CREATED,
        Json(view(&mut app.store.read().await?, created).await?),
    ))
}

/// List reports
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/reports", tag = "insights",
    params(("organizer_id" = String, Path), PageQuery), responses((status = 200, body = Page<ReportView>)))]
pub async fn list_reports(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<ReportView>>> {
    identity.require(organizer_id, Permission::ReadLake)?;
    let mut db = app.store.read().await?;
    let found = reports::list(&mut db, organizer_id, query.request()?).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for report in found.items {
        items.push(view(&mut db, report).await?);
    }
    let page = transactional::Page {
        items,
        next: found.next,
    };
    Ok(Json(page_of(page, |view| view)))
}

/// Show a report
#[utoipa::path(get, path = "/v1/reports/{report_id}", tag = "insights", params(("report_id" = String, Path)),
    responses((status = 200, body = ReportView), (status = 404, body = Problem)))]
pub async fn show_report(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<ReportId>,
) -> Result<Json<ReportView>> {
    let report = readable(&app, &identity, id).await?;
    Ok(Json(view(&mut app.store.read().await?, report).await?))
}

/// Change a report, or pause it
///
/// Everyone who may see the figures may: so whoever gets a report can stop it.
#[utoipa::path(put, path = "/v1/reports/{report_id}", tag = "insights", request_body = ReportInput,
    params(("report_id" = String, Path)),
    responses((status = 200, body = ReportView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn update_report(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<ReportId>,
    Body(input): Body<ReportInput>,
) -> Result<Json<ReportView>> {
    let report = readable(&app, &identity, id).await?;
    insights::check_page(&app, report.organizer_id, &input.page, &input.state).await?;
    let details = input.details(&report.timezone, report.language)?;
    let updated = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { reports::update(tx, id, details).await })
    });
    let updated = updated.await?;
    Ok(Json(view(&mut app.store.read().await?, updated).await?))
}

/// Delete a report
#[utoipa::path(delete, path = "/v1/reports/{report_id}", tag = "insights", params(("report_id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn delete_report(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<ReportId>,
) -> Result<StatusCode> {
    readable(&app, &identity, id).await?;
    let deleted = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { reports::delete(tx, id).await })
    });
    deleted.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a report now
///
/// Within seconds, whether or not it is paused; its schedule stays. At most once a minute.
#[utoipa::path(post, path = "/v1/reports/{report_id}/send-now", tag = "insights", request_body = SendNowInput,
    params(("report_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = ReportView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn send_report_now(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<ReportId>,
    Once { key, request_hash, .. }: Once<SendNowInput>,
) -> Result<(StatusCode, Json<ReportView>)> {
    readable(&app, &identity, id).await?;
    let asked = app
        .write_once("send-report", key, request_hash, identity.actor(), move |tx| {
            Box::pin(reports::send_now(tx, id))
        })
        .await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(view(&mut app.store.read().await?, asked).await?),
    ))
}

async fn readable(app: &App, identity: &Identity, id: ReportId) -> Result<Stored<Report>> {
    let report = reports::get(&mut app.store.read().await?, id).await?;
    identity.require(report.organizer_id, Permission::ReadLake)?;
    Ok(report)
}

async fn view(db: &mut impl Source, report: Stored<Report>) -> Result<ReportView> {
    let last_error = reports::last_error(db, report.report_id).await?;
    let recipients = recipients(db, report.organizer_id, &report.recipients).await?;
    let Stored {
        organizer_id,
        version,
        value: report,
    } = report;
    Ok(ReportView {
        report_id: report.report_id.to_string(),
        organizer_id: organizer_id.to_string(),
        version,
        name: report.name.to_string(),
        page: report.page,
        state: report.state,
        every: report.every.as_str(),
        weekday: report.weekday.map(Weekday::as_str),
        month_day: report.month_day,
        at: format!("{:02}:{:02}", report.hour, report.minute),
        timezone: report.timezone,
        language: report.language.as_str(),
        recipients,
        paused: report.paused,
        created_at: Moment(report.created_at),
        next_at: report.next_at.map(Moment),
        last_sent_at: report.last_sent_at.map(Moment),
        last_error,
    })
}
