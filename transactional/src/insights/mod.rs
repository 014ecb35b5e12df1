//! What an organizer keeps about its dashboards: links that show them to others, reports by mail, rules that watch a
//! metric, and questions that are asked again. The figures themselves are computed elsewhere, from the lake.

pub mod alerts;
pub mod questions;
pub mod reports;
pub mod shares;

use crate::{
    Error, Result, Source, Tx,
    access::{get_user, user_by_email},
    mail::{self, Content, Recipient},
    sql::{self, Columns, Value, binds},
};
use domain::{Email, OrganizerId, Role, UserId, changes::ListedRecipient, message::Language, role::Permission};
use std::str::FromStr;

const LONGEST_STATE: usize = 2_000;
const MOST_RECIPIENTS: usize = 20;

/// A dashboard's name, and the query string that it is shown with.
fn check_view(page: &str, state: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if page.is_empty() || page.len() > 80 || !page.chars().all(plain) {
        let message = "a dashboard's name has lower-case letters, digits, - and _";
        return Err(Error::refused("invalid", message).at("page"));
    }
    let known = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        ["range", "from", "to", "compare"].contains(&name) || (name.starts_with("filter.") && name.len() > 7)
    };
    let sound = |c: char| c.is_ascii_graphic() && !"\"<>#\\^`{|}".contains(c);
    let wrong = match state {
        "" => None,
        state if state.len() > LONGEST_STATE => Some("a dashboard's state has at most 2,000 bytes"),
        state if !state.chars().all(sound) => Some("a dashboard's state is a query string, percent-encoded"),
        state if !state.split('&').all(known) => {
            Some("a dashboard's state has range, from, to, compare and filter.DIMENSION, and nothing else")
        }
        _ => None,
    };
    wrong.map_or(Ok(()), |wrong| Err(Error::refused("invalid", wrong).at("state")))
}

/// Refuses one thing more than an organizer may have.
async fn check_room(db: &mut impl Source, sql: &'static str, values: Vec<Value>, most: i64, what: &str) -> Result<()> {
    match sql::one(db, sql, values).await?.int("n")? {
        n if n >= most => Err(Error::refused(
            "too_many",
            format!("an organizer has at most {most} {what}"),
        )),
        _ => Ok(()),
    }
}

/// Members who may see figures, by their ids or addresses. What is kept is ids.
async fn listed(tx: &mut Tx, organizer_id: OrganizerId, named: &[String]) -> Result<Vec<ListedRecipient>> {
    if named.is_empty() || named.len() > MOST_RECIPIENTS {
        let message = format!("name 1 to {MOST_RECIPIENTS} recipients");
        return Err(Error::refused("invalid", message).at("recipients"));
    }
    let mut listed: Vec<ListedRecipient> = Vec::new();
    for (place, name) in named.iter().enumerate() {
        let user = match (UserId::from_str(name), Email::from_str(name)) {
            (Ok(id), _) => Some(id),
            (_, Ok(email)) => user_by_email(tx, &email).await?.map(|user| user.user_id),
            _ => None,
        };
        let member = match user {
            Some(user) => may_be_told(tx, organizer_id, user).await?.then_some(user),
            None => None,
        };
        // Whoever was named is not named in return: the answer may end in a log.
        let user_id = member.ok_or_else(|| {
            let message = "choose a member of this organizer who may see figures, by e-mail address or user_id";
            Error::refused("unknown_recipient", message).at(format!("recipients/{place}"))
        })?;
        if !listed.iter().any(|known| known.user_id == user_id) {
            listed.push(ListedRecipient { user_id });
        }
    }
    Ok(listed)
}

async fn may_be_told(db: &mut impl Source, organizer_id: OrganizerId, user_id: UserId) -> Result<bool> {
    let sql = "select role from memberships where user_id = $1 and organizer_id = $2 and active = 1";
    let row = sql::optional(db, sql, binds![user_id, organizer_id]).await?;
    let role: Option<Role> = row.map(|row| row.parse("role")).transpose()?;
    Ok(role.is_some_and(|role| role.may(Permission::ReadLake)))
}

/// Queues a mail to each recipient who still is a member and may see figures; answers to how many.
async fn tell(
    tx: &mut Tx,
    organizer_id: OrganizerId,
    recipients: &[ListedRecipient],
    language: Language,
    content: &Content,
) -> Result<usize> {
    let mut told = 0;
    for ListedRecipient { user_id } in recipients {
        if may_be_told(tx, organizer_id, *user_id).await? {
            mail::queue(tx, Recipient::Member(*user_id, organizer_id), language, content.clone())?;
            told += 1;
        }
    }
    Ok(told)
}

/// Those of the recipients who are members now, by what they are called.
pub async fn recipients(
    db: &mut impl Source,
    organizer_id: OrganizerId,
    listed: &[ListedRecipient],
) -> Result<Vec<(UserId, String)>> {
    let mut recipients = Vec::with_capacity(listed.len());
    for ListedRecipient { user_id } in listed {
        if may_be_told(db, organizer_id, *user_id).await? {
            let user = get_user(db, *user_id).await?;
            recipients.push((*user_id, user.name.unwrap_or_else(|| user.email.to_string())));
        }
    }
    Ok(recipients)
}
