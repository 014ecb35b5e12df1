//! Questions that people keep: SQL with a chart. A private one is its owner's alone; a shared one is seen by all who may
//! ask the lake.

use super::check_room;
use crate::{
    Cursor, Error, Page, PageRequest, Result, Source, Tx,
    dialect::Row,
    organizers,
    page::MOST_ITEMS,
    sql::{self, Columns, binds},
};
use domain::{Label, OrganizerId, PersonId, SavedQuestionId, Timestamp, changes::Person};

#[derive(Clone, Debug, PartialEq)]
pub struct QuestionDetails {
    pub name: Label,
    pub description: String,
    pub sql: String,
    /// JSON that the page understands; here it is text.
    pub chart: Option<String>,
    pub shared: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SavedQuestion {
    pub saved_question_id: SavedQuestionId,
    pub organizer_id: OrganizerId,
    /// As the changes name who made them.
    pub owner: String,
    pub details: QuestionDetails,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const MOST: i64 = 500;
/// As long as a query may be.
const LONGEST_SQL: usize = 16 << 10;
const LONGEST_CHART: usize = 16 << 10;
const LONGEST_DESCRIPTION: usize = 2_000;
/// Of a telephone number.
const FEWEST_DIGITS: usize = 5;

impl QuestionDetails {
    /// All that was written.
    fn text(&self) -> String {
        let chart = self.chart.as_deref().unwrap_or_default();
        [self.name.as_str(), &self.description, &self.sql, chart].join("\n")
    }
}

pub async fn create(tx: &mut Tx, organizer_id: OrganizerId, details: QuestionDetails) -> Result<SavedQuestion> {
    organizers::get(tx, organizer_id).await?;
    check(&details)?;
    let sql = "select count(*) as n from saved_questions where organizer_id = $1";
    check_room(tx, sql, binds![organizer_id], MOST, "saved questions").await?;
    let (id, owner, now) = (SavedQuestionId::new(), tx.actor.clone(), tx.now());
    let sql =
        "insert into saved_questions (saved_question_id, organizer_id, owner, name, description, query, chart, shared,
                   created_at, updated_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)";
    let QuestionDetails {
        name,
        description,
        sql: query,
        chart,
        shared,
    } = &details;
    tx.defer(
        sql,
        binds![id, organizer_id, owner, name, description, query, chart, shared, now],
        1,
    );
    Ok(SavedQuestion {
        saved_question_id: id,
        organizer_id,
        owner,
        details,
        created_at: now,
        updated_at: now,
    })
}

/// `seen_at` is the `updated_at` of what was changed; None changes whatever is there.
pub async fn update(
    tx: &mut Tx,
    id: SavedQuestionId,
    details: QuestionDetails,
    seen_at: Option<Timestamp>,
) -> Result<SavedQuestion> {
    check(&details)?;
    let (before, now) = (get(tx, id).await?, tx.now());
    if seen_at.is_some_and(|seen_at| seen_at != before.updated_at) {
        let message = "this question was changed meanwhile: open it again, or save yours as another one";
        return Err(Error::conflict("changed_meanwhile", message).at("updated_at"));
    }
    let sql =
        "update saved_questions set name = $2, description = $3, query = $4, chart = $5, shared = $6, updated_at = $7
               where saved_question_id = $1";
    let QuestionDetails {
        name,
        description,
        sql: query,
        chart,
        shared,
    } = &details;
    tx.defer(sql, binds![id, name, description, query, chart, shared, now], 1);
    Ok(SavedQuestion {
        details,
        updated_at: now,
        ..before
    })
}

pub async fn delete(tx: &mut Tx, id: SavedQuestionId) -> Result<()> {
    let sql = "delete from saved_questions where saved_question_id = $1";
    match sql::execute(tx, sql, binds![id]).await? {
        0 => Err(Error::not_found("saved question")),
        _ => Ok(()),
    }
}

pub async fn get(db: &mut impl Source, id: SavedQuestionId) -> Result<SavedQuestion> {
    let sql = "select * from saved_questions where saved_question_id = $1";
    let row = sql::optional(db, sql, binds![id]).await?;
    read(&row.ok_or_else(|| Error::not_found("saved question"))?)
}

/// Those that `viewer` may see, the newest first.
pub async fn list(
    db: &mut impl Source,
    organizer_id: OrganizerId,
    viewer: &str,
    page: PageRequest,
) -> Result<Page<SavedQuestion>> {
    let limit = page.limit.clamp(1, MOST_ITEMS) as usize;
    let before = page.after.map_or("~".to_owned(), |cursor| cursor.id);
    let sql = "select * from saved_questions
               where organizer_id = $1 and (shared = 1 or owner = $2) and saved_question_id < $3
               order by saved_question_id desc limit $4";
    let rows = sql::all(db, sql, binds![organizer_id, viewer, before, limit as i64 + 1]).await?;
    let items: Vec<SavedQuestion> = rows.iter().take(limit).map(read).collect::<Result<_>>()?;
    let next = items.last().filter(|_| rows.len() > limit).map(|last| Cursor {
        key: 1,
        id: last.saved_question_id.to_string(),
    });
    Ok(Page { items, next })
}

/// Deletes the questions that name a person by address, number or id: once the person is erased they find nobody.
pub(crate) async fn forget(tx: &mut Tx, organizer_id: OrganizerId, person: &Person, id: PersonId) -> Result<u64> {
    // Anybody may have typed anything there, and what has fewer digits stands in questions that are about nobody.
    let is_number = |phone: &String| phone.chars().filter(|sign| sign.is_numeric()).count() >= FEWEST_DIGITS;
    let known = [
        Some(id.to_string()),
        person.email.as_ref().map(ToString::to_string),
        person.phone.clone().filter(is_number),
    ];
    let known: Vec<String> = known.into_iter().flatten().map(|text| text.to_lowercase()).collect();
    let sql = "select * from saved_questions where organizer_id = $1";
    let mut forgotten = 0;
    for row in sql::all(tx, sql, binds![organizer_id]).await? {
        let question = read(&row)?;
        let text = question.details.text().to_lowercase();
        if known.iter().any(|word| stands_in(&text, word)) {
            delete(tx, question.saved_question_id).await?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

/// Whether a text has this as a word: a part of another number or address is not meant.
fn stands_in(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.into_iter().chain(after).any(char::is_alphanumeric)
    })
}

fn check(details: &QuestionDetails) -> Result<()> {
    let wrong = |field, message: &str| Err(Error::refused("invalid", message).at(field));
    if details.sql.trim().is_empty() || details.sql.len() > LONGEST_SQL {
        return wrong("sql", "a question has 1 byte to 16 KiB of SQL");
    }
    if details.chart.as_ref().is_some_and(|chart| chart.len() > LONGEST_CHART) {
        return wrong("chart", "a chart has at most 16 KiB of JSON");
    }
    if details.description.len() > LONGEST_DESCRIPTION {
        return wrong("description", "a description has at most 2,000 bytes");
    }
    let zero = [&details.sql, &details.description]
        .into_iter()
        .any(|text| text.contains('\0'));
    match zero {
        true => wrong("sql", "a text has no character U+0000"),
        false => Ok(()),
    }
}

fn read(row: &Row) -> Result<SavedQuestion> {
    Ok(SavedQuestion {
        saved_question_id: row.parse("saved_question_id")?,
        organizer_id: row.parse("organizer_id")?,
        owner: row.text("owner")?,
        details: QuestionDetails {
            name: row.parse("name")?,
            description: row.text("description")?,
            sql: row.text("query")?,
            chart: row.maybe_text("chart")?,
            shared: row.int("shared")? != 0,
        },
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
