//! What a command works with: the database inside the writer's transaction, a clock, and the list of its changes.

use crate::{
    Error, Result,
    correlation::Correlation,
    dialect::Connection,
    outbox::Pending,
    pools::Remembered,
    rows::{self, Storable},
    secrets::Key,
    sql::{self, Session, Statement, Text, Value, Waiting},
};
use domain::{OrganizerId, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// Where rows are read from: a command's transaction or a reader's snapshot.
pub trait Source: Send {
    #[doc(hidden)]
    fn session(&mut self) -> Session<'_>;
}

/// A record as it is stored: whose it is, and how many changes made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored<T> {
    pub organizer_id: OrganizerId,
    pub version: i64,
    pub value: T,
}

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Stored<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// One command's view of the store. All that it writes is kept together with its changes, or nothing is.
pub struct Tx {
    pub(crate) connection: Connection,
    pub(crate) waiting: Waiting,
    pub(crate) key: Arc<Key>,
    pub(crate) changes: Vec<Pending>,
    pub(crate) actor: String,
    pub(crate) correlation: Correlation,
    pub(crate) batch_time: Timestamp,
    pub(crate) original: Option<Timestamp>,
    pub(crate) pools: Remembered,
    /// Why nothing of the present batch can be kept.
    pub(crate) broken: Option<Error>,
}

impl Source for Tx {
    fn session(&mut self) -> Session<'_> {
        Session {
            connection: &mut self.connection,
            waiting: Some(&mut self.waiting),
        }
    }
}

impl Tx {
    pub(crate) fn new(connection: Connection, key: Arc<Key>) -> Self {
        Self {
            connection,
            key,
            waiting: Waiting::default(),
            changes: Vec::new(),
            actor: String::new(),
            correlation: Correlation::default(),
            batch_time: Timestamp::from_micros(0),
            original: None,
            broken: None,
            pools: Remembered::default(),
        }
    }

    /// Opens the command's savepoint, once it sends anything.
    pub(crate) fn begin_command(&mut self) {
        (self.original, self.actor, self.correlation) = (None, String::new(), Correlation::default());
        let savepoint = &mut self.waiting.savepoint;
        if savepoint.is_empty() {
            if self.waiting.opened {
                savepoint.push(Statement::new("release savepoint command", vec![]));
            }
            savepoint.push(Statement::new("savepoint command", vec![]));
        }
    }

    pub(crate) async fn roll_back_command(&mut self) -> Result<()> {
        self.waiting.writes.clear();
        if self.waiting.lost {
            // The savepoint that is open may be the one of the command before.
            return Err(Error::Storage("the savepoint of a command is lost".into()));
        }
        if self.waiting.savepoint.is_empty() {
            sql::raw(&mut self.connection, "rollback to savepoint command").await?;
        }
        Ok(())
    }

    /// Writes later, together with other statements, but before anything is read or committed. For what can't be
    /// refused: it must change exactly `rows` rows.
    pub(crate) fn defer(&mut self, text: impl Into<Text>, values: Vec<Value>, rows: u64) {
        self.waiting.writes.push(Statement {
            rows: Some(rows),
            ..Statement::new(text, values)
        });
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// When this happens: the batch's time, or the original time of a backfill.
    pub fn now(&self) -> Timestamp {
        self.original.unwrap_or(self.batch_time)
    }

    /// What follows in this command happened then.
    pub fn at(&mut self, original: Timestamp) {
        self.original = Some(original);
    }

    /// Stores a new record and tells of it.
    pub(crate) fn create<T: Storable>(
        &mut self,
        organizer_id: OrganizerId,
        change_type: &'static str,
        record: T,
    ) -> Result<Stored<T>> {
        self.create_with(organizer_id, change_type, record, &[])
    }

    /// The same with columns that are the core's own.
    pub(crate) fn create_with<T: Storable>(
        &mut self,
        organizer_id: OrganizerId,
        change_type: &'static str,
        record: T,
        private: &[(&'static str, Value)],
    ) -> Result<Stored<T>> {
        rows::insert(self, organizer_id, 1, std::slice::from_ref(&record), private)?;
        let stored = Stored {
            organizer_id,
            version: 1,
            value: record,
        };
        self.tell(change_type, &stored)?;
        Ok(stored)
    }

    pub(crate) fn create_all<T: Storable>(
        &mut self,
        organizer_id: OrganizerId,
        change_type: &'static str,
        records: Vec<T>,
        private: &[(&'static str, Value)],
    ) -> Result<Vec<Stored<T>>> {
        let changes = vec![change_type; records.len()];
        self.create_each(organizer_id, &changes, records, private)
    }

    /// Stores new records, and tells of each by its own change. `private` is the same for all of them.
    pub(crate) fn create_each<T: Storable>(
        &mut self,
        organizer_id: OrganizerId,
        change_types: &[&'static str],
        records: Vec<T>,
        private: &[(&'static str, Value)],
    ) -> Result<Vec<Stored<T>>> {
        rows::insert(self, organizer_id, 1, &records, private)?;
        let mut stored = Vec::with_capacity(records.len());
        for (value, change_type) in records.into_iter().zip(change_types) {
            let one = Stored {
                organizer_id,
                version: 1,
                value,
            };
            self.tell(change_type, &one)?;
            stored.push(one);
        }
        Ok(stored)
    }

    /// Stores a record that went through several states in this very command, and tells of each.
    pub(crate) fn create_through<T: Storable>(
        &mut self,
        organizer_id: OrganizerId,
        states: Vec<(&'static str, Timestamp, T)>,
    ) -> Result<()> {
        if let Some((_, _, last)) = states.last() {
            rows::insert(self, organizer_id, states.len() as i64, std::slice::from_ref(last), &[])?;
        }
        let original = self.original;
        for (index, (change_type, at, value)) in states.into_iter().enumerate() {
            self.original = Some(at);
            let stored = Stored {
                organizer_id,
                version: index as i64 + 1,
                value,
            };
            self.tell(change_type, &stored)?;
        }
        self.original = original;
        Ok(())
    }

    /// Stores the next version of a record, and tells of it.
    pub(crate) fn change<T: Storable>(&mut self, change_type: &'static str, stored: &mut Stored<T>) -> Result<()> {
        stored.version += 1;
        rows::update(self, stored)?;
        self.tell(change_type, stored)
    }

    fn tell<T: Storable>(&mut self, change_type: &'static str, stored: &Stored<T>) -> Result<()> {
        self.changes.push(Pending {
            change_type,
            organizer_id: stored.organizer_id,
            entity: T::ENTITY.name,
            entity_id: stored.value.entity_id(),
            entity_version: stored.version,
            occurred_at: self.now(),
            payload: serde_json::to_string(&stored.value)?,
            remaining: 0,
            actor: String::new(),
            correlation: Correlation::default(),
        });
        Ok(())
    }
}
