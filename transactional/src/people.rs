//! Buyers and attendees, each within one organizer. Personal data lives here and nowhere else.

use crate::{
    Page, PageRequest, Result, Source, Stored, Tx,
    page::{self, Filter, Order},
    rows,
    sql::binds,
};
use domain::{Email, OrganizerId, PersonId, changes::Person};

pub async fn get(db: &mut impl Source, id: PersonId) -> Result<Stored<Person>> {
    rows::get(db, &id).await
}

pub async fn by_email(
    db: &mut impl Source,
    organizer_id: OrganizerId,
    email: &Email,
) -> Result<Option<Stored<Person>>> {
    let found = rows::find(db, "organizer_id = $1 and email = $2", binds![organizer_id, email]).await?;
    Ok(found.into_iter().next())
}

pub async fn list(db: &mut impl Source, organizer_id: OrganizerId, page: PageRequest) -> Result<Page<Stored<Person>>> {
    let filter = Filter::default().and("organizer_id =", &organizer_id);
    page::list(db, filter, None, Order::Ascending, &page).await
}

/// The organizer's person with this address, made or filled in with what the buyer says now. Anybody may type another's
/// address, so a name that is known stays: it is who tickets of before are for. The number is the newest.
pub(crate) fn register(
    tx: &mut Tx,
    organizer_id: OrganizerId,
    known: Option<Stored<Person>>,
    email: Email,
    name: Option<String>,
    phone: Option<String>,
) -> Result<Stored<Person>> {
    let Some(mut person) = known else {
        let record = Person {
            person_id: PersonId::new(),
            email: Some(email),
            name,
            phone,
            registered_at: tx.now(),
            source: None,
        };
        return tx.create(organizer_id, "person.registered", record);
    };
    let (name, phone) = (person.name.clone().or(name), phone.or_else(|| person.phone.clone()));
    if (&name, &phone) != (&person.name, &person.phone) {
        (person.name, person.phone) = (name, phone);
        tx.change("person.updated", &mut person)?;
    }
    Ok(person)
}

/// Somebody who comes with another's ticket.
pub(crate) fn register_holder(tx: &mut Tx, organizer_id: OrganizerId, name: String) -> Result<Stored<Person>> {
    let record = Person {
        person_id: PersonId::new(),
        email: None,
        name: Some(name),
        phone: None,
        registered_at: tx.now(),
        source: None,
    };
    tx.create(organizer_id, "person.registered", record)
}

/// Empties what is personal, and names the fields. An order still has its person, of whom nothing is known.
pub(crate) fn erase(tx: &mut Tx, person: &mut Stored<Person>) -> Result<Vec<&'static str>> {
    let held = [
        ("email", person.email.take().is_some()),
        ("name", person.name.take().is_some()),
        ("phone", person.phone.take().is_some()),
        ("source", person.source.take().is_some()),
    ];
    let emptied: Vec<_> = held.iter().filter(|(_, held)| *held).map(|(name, _)| *name).collect();
    if !emptied.is_empty() {
        tx.change("person.erased", person)?;
    }
    Ok(emptied)
}
