//! Reports: a dashboard's figures by mail, again and again. What is due is computed outside, and queued here in the
//! transaction that moves the report on, so that it is sent once, whoever computes it and whatever is killed.

use super::{check_room, check_view, listed, tell};
use crate::{
    Error, Page, PageRequest, Result, Source, Store, Stored, Tx,
    dialect::Row,
    mail::{Content, Table},
    organizers,
    page::{self, Filter, Order},
    rows,
    sql::{self, Columns, binds},
};
use domain::{
    Label, OrganizerId, ReportId, Timestamp,
    changes::Report,
    message::Language,
    schedule::{Schedule, ScheduleInput},
};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct ReportDetails {
    pub name: Label,
    pub page: String,
    pub state: String,
    pub schedule: ScheduleInput,
    pub language: Language,
    /// Members, by user id or address.
    pub recipients: Vec<String>,
    pub paused: bool,
}

/// A report that is to be sent now.
#[derive(Clone, Debug)]
pub struct DueReport {
    pub report: Stored<Report>,
    /// When somebody asked for it, beside its schedule.
    pub asked_at: Option<Timestamp>,
}

/// What was computed for a report.
#[derive(Clone, Debug)]
pub struct Figures {
    /// In the words of the report's language.
    pub period: String,
    /// The query string of the page that shows the same.
    pub state: String,
    pub tables: Vec<Table>,
}

const MOST: i64 = 50;
/// After an attempt that failed.
const PAUSE: Duration = Duration::from_secs(300);
/// Who asks for a report asks for a mail to twenty people.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// When a report is sent. A stored one was checked when it came.
pub fn schedule_of(report: &Report) -> Result<Schedule> {
    schedule(&ScheduleInput {
        every: report.every,
        weekday: report.weekday,
        month_day: report.month_day,
        hour: report.hour,
        minute: report.minute,
        timezone: report.timezone.clone(),
    })
}

fn schedule(input: &ScheduleInput) -> Result<Schedule> {
    Schedule::new(input).map_err(|(field, invalid)| Error::from(invalid).at(field))
}

pub async fn create(tx: &mut Tx, organizer_id: OrganizerId, details: ReportDetails) -> Result<Stored<Report>> {
    organizers::get(tx, organizer_id).await?;
    let sql = "select count(*) as n from reports where organizer_id = $1 and deleted_at is null";
    check_room(tx, sql, binds![organizer_id], MOST, "reports").await?;
    let record = record(tx, organizer_id, details, None).await?;
    tx.create(organizer_id, "report.created", record)
}

pub async fn update(tx: &mut Tx, id: ReportId, details: ReportDetails) -> Result<Stored<Report>> {
    let mut report = get(tx, id).await?;
    let updated = record(tx, report.organizer_id, details, Some(&report.value)).await?;
    if updated != report.value {
        report.value = updated;
        tx.change("report.updated", &mut report)?;
        let sql = "update reports set last_error = null, try_at = null where report_id = $1";
        tx.defer(sql, binds![id], 1);
    }
    Ok(report)
}

async fn record(
    tx: &mut Tx,
    organizer_id: OrganizerId,
    details: ReportDetails,
    before: Option<&Report>,
) -> Result<Report> {
    check_view(&details.page, &details.state)?;
    let schedule = schedule(&details.schedule)?;
    let (recipients, now) = (listed(tx, organizer_id, &details.recipients).await?, tx.now());
    let ScheduleInput {
        every,
        weekday,
        month_day,
        hour,
        minute,
        timezone,
    } = details.schedule;
    let mut record = Report {
        report_id: before.map_or_else(ReportId::new, |before| before.report_id),
        name: details.name,
        page: details.page,
        state: details.state,
        every,
        weekday,
        month_day,
        hour,
        minute,
        timezone,
        language: details.language,
        recipients,
        paused: details.paused,
        created_at: before.map_or(now, |before| before.created_at),
        next_at: (!details.paused).then(|| schedule.next_after(now)),
        last_sent_at: before.and_then(|before| before.last_sent_at),
        deleted_at: None,
    };
    // What is due and not sent yet stays due, unless its time is another one now.
    if let Some(before) = before.filter(|before| before.next_at.is_some() && !details.paused) {
        if schedule_of(before)? == schedule {
            record.next_at = before.next_at;
        }
    }
    Ok(record)
}

pub async fn delete(tx: &mut Tx, id: ReportId) -> Result<()> {
    let mut report = get(tx, id).await?;
    (report.deleted_at, report.next_at) = (Some(tx.now()), None);
    report.recipients.clear();
    tx.change("report.deleted", &mut report)
}

/// Has it sent within seconds, besides its schedule and whether or not it is paused.
pub async fn send_now(tx: &mut Tx, id: ReportId) -> Result<Stored<Report>> {
    let (report, now) = (get(tx, id).await?, tx.now());
    let since = report.last_sent_at.map(|at| now.since(at));
    if let Some(since) = since.filter(|since| *since < AGAIN_AFTER) {
        let refused = Error::conflict("sent_just_now", "this report was sent less than a minute ago");
        return Err(refused.retry_after(AGAIN_AFTER - since));
    }
    let sql = "update reports set asked_at = $2, try_at = null where report_id = $1";
    tx.defer(sql, binds![id, now], 1);
    Ok(report)
}

/// One that is deleted is not there.
pub async fn get(db: &mut impl Source, id: ReportId) -> Result<Stored<Report>> {
    let found = rows::find(db, "t.report_id = $1 and t.deleted_at is null", binds![id]).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("report"))
}

pub async fn list(db: &mut impl Source, organizer_id: OrganizerId, page: PageRequest) -> Result<Page<Stored<Report>>> {
    let filter = Filter::default()
        .and("organizer_id =", &organizer_id)
        .and("coalesce(deleted_at, 0) =", &0_i64);
    page::list(db, filter, None, Order::Ascending, &page).await
}

/// Why it could not be made the last time.
pub async fn last_error(db: &mut impl Source, id: ReportId) -> Result<Option<String>> {
    let sql = "select last_error from reports where report_id = $1";
    sql::one(db, sql, binds![id]).await?.maybe_text("last_error")
}

/// What is to be sent at this time, the longest waiting first. However many times were missed, a report is due once.
pub async fn due(store: &Store, at: Timestamp, limit: i64) -> Result<Vec<DueReport>> {
    let columns = rows::columns::<Report>("t");
    let sql = format!(
        "select {columns}, t.asked_at as asked_at from reports t
         where t.deleted_at is null and coalesce(t.try_at, 0) <= $1 and (t.next_at <= $1 or t.asked_at is not null)
         order by coalesce(t.next_at, t.asked_at), t.report_id limit $2"
    );
    let rows = sql::all(&mut store.peek().await?, sql, binds![at, limit]).await?;
    let read = |row: &Row| {
        Ok(DueReport {
            report: rows::decode(row, 0)?,
            asked_at: row.maybe_time("asked_at")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Queues what was computed, and moves the report on. False: it was sent, changed or deleted meanwhile, and nothing of
/// this is kept.
pub async fn sent(tx: &mut Tx, due: DueReport, figures: Figures, at: Timestamp) -> Result<bool> {
    let id = due.report.report_id;
    let sql = "select version, asked_at from reports where report_id = $1 and deleted_at is null";
    let unchanged = match sql::optional(tx, sql, binds![id]).await? {
        Some(row) => row.int("version")? == due.report.version && row.maybe_time("asked_at")? == due.asked_at,
        None => false,
    };
    if !unchanged {
        return Ok(false);
    }
    let mut report = due.report;
    let content = Content::Report {
        report_id: id,
        page: report.page.clone(),
        query: format!("organizer_id={}&{}", report.organizer_id, figures.state),
        period: figures.period,
        tables: figures.tables,
    };
    let told = tell(tx, report.organizer_id, &report.recipients, report.language, &content).await?;
    let sql = "update reports set asked_at = null, try_at = null, last_error = $2 where report_id = $1";
    if told == 0 {
        (report.paused, report.next_at) = (true, None);
        tx.change("report.updated", &mut report)?;
        tx.defer(
            sql,
            binds![id, "nobody of its recipients is a member any more; it is paused"],
            1,
        );
        return Ok(true);
    }
    if report.next_at.is_some_and(|next| next <= at) {
        report.next_at = Some(schedule_of(&report)?.next_after(at));
    }
    report.last_sent_at = Some(at);
    tx.change("report.sent", &mut report)?;
    tx.defer(sql, binds![id, None::<String>], 1);
    Ok(true)
}

/// Has it tried again in some minutes.
pub async fn failed(tx: &mut Tx, id: ReportId, why: String, at: Timestamp) -> Result<()> {
    let sql = "update reports set last_error = $2, try_at = $3 where report_id = $1";
    sql::execute(tx, sql, binds![id, why, at + PAUSE]).await.map(drop)
}
