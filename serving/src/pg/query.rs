//! Statements: at once, or prepared, bound and executed. All of them run in the session of whoever holds the token.

use super::{Door, error, fatal, login::Login, rows, values::text_of};
use crate::problem::Problem;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{Sink, SinkExt, StreamExt};
use lakehouse::{Described, Parameter, Session, postgres::Statement};
use pgwire::{
    api::{
        ClientInfo, ClientPortalStore, DEFAULT_NAME, Type,
        portal::{Format, Portal, PortalExecutionState},
        query::{ExtendedQueryHandler, SimpleQueryHandler, send_execution_response},
        results::{FieldInfo, Response, Tag},
        stmt::QueryParser,
        store::{Entry, PortalStore},
    },
    error::{PgWireError, PgWireResult},
    messages::{
        PgWireBackendMessage,
        extendedquery::{Execute, PortalSuspended},
        response::EmptyQueryResponse,
    },
};
use std::{fmt::Debug, sync::Arc};

/// A statement that was parsed, and what it will take and answer.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    statement: Statement,
    described: Option<Described>,
    declared: Vec<Option<Type>>,
}

/// What clients ask for when they connect.
const SETTINGS: [(&str, &str); 9] = [
    ("client_encoding", "UTF8"),
    ("datestyle", "ISO, YMD"),
    ("default_transaction_read_only", "on"),
    ("max_identifier_length", "63"),
    ("search_path", "lake"),
    ("server_version", "15.0"),
    ("standard_conforming_strings", "on"),
    ("timezone", "UTC"),
    ("transaction_isolation_level", "repeatable read"),
];

impl Door {
    async fn session(&self, client: &(impl ClientInfo + Sync)) -> PgWireResult<(Session, Arc<Login>)> {
        let Some(login) = client.session_extensions().get::<Login>() else {
            return Err(fatal(Problem::new("unauthenticated", "log in first")));
        };
        Ok((login.session(self).await?, login))
    }

    async fn run(
        &self,
        session: &Session,
        login: &Login,
        statement: &Statement,
        parameters: Vec<Parameter>,
        wanted: &Format,
    ) -> PgWireResult<Response> {
        Ok(match statement {
            Statement::Query(sql) => {
                let cancel = login.begin();
                let answer = tokio::select! {
                    () = cancel.cancelled() => return Err(PgWireError::QueryCanceled),
                    answer = session.sql_with(sql, parameters) => answer.map_err(error)?,
                };
                Response::Query(rows::respond(answer, wanted, cancel))
            }
            Statement::Show(name) => {
                let known = SETTINGS.iter().find(|(known, _)| known == name);
                Response::Query(rows::say(name, known.map_or("", |(_, value)| value)))
            }
            Statement::Begin => Response::TransactionStart(Tag::new("BEGIN")),
            Statement::End(tag) => Response::TransactionEnd(Tag::new(tag)),
            Statement::Done(tag) => Response::Execution(Tag::new(tag)),
        })
    }
}

#[async_trait]
impl SimpleQueryHandler for Door {
    async fn do_query<C>(&self, client: &mut C, sql: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let (session, login) = self.session(client).await?;
        let statements = session.statements(sql).await.map_err(error)?;
        // Each answer is a query that waits with its rows; they would take all turns.
        let queries = |statement: &&Statement| matches!(statement, Statement::Query(_));
        if statements.iter().filter(queries).count() > 1 {
            return Err(error(Problem::new("invalid_sql", "send one query at a time")));
        }
        let mut answers = Vec::new();
        for statement in &statements {
            let answer = self.run(&session, &login, statement, Vec::new(), &Format::UnifiedText);
            answers.push(answer.await?);
        }
        Ok(answers)
    }
}

#[async_trait]
impl QueryParser for Door {
    type Statement = Prepared;

    async fn parse_sql<C>(&self, client: &C, sql: &str, types: &[Option<Type>]) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let (session, _) = self.session(client).await?;
        let mut statements = session.statements(sql).await.map_err(error)?;
        let statement = match (statements.pop(), statements.is_empty()) {
            (Some(only), true) => only,
            (None, _) => return Ok(None),
            _ => return Err(error(Problem::new("invalid_sql", "prepare one statement at a time"))),
        };
        let described = match &statement {
            Statement::Query(sql) => Some(session.describe(sql).await.map_err(error)?),
            _ => None,
        };
        Ok(Some(Prepared {
            statement,
            described,
            declared: types.to_vec(),
        }))
    }

    fn get_parameter_types(&self, prepared: &Prepared) -> PgWireResult<Vec<Type>> {
        let implied = prepared.described.iter().flat_map(|described| &described.parameters);
        let wire = |of: &Option<lakehouse::arrow::datatypes::DataType>| match of {
            Some(of) => rows::wire(lakehouse::postgres::pg_type(of)),
            None => Type::TEXT,
        };
        Ok(implied.map(wire).collect())
    }

    fn get_result_schema(&self, prepared: &Prepared, wanted: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        let text = Format::UnifiedText;
        Ok(match (&prepared.described, &prepared.statement) {
            (Some(described), _) => rows::fields(&described.columns, wanted.unwrap_or(&text)),
            (None, Statement::Show(name)) => rows::say(name, "").row_schema().to_vec(),
            _ => Vec::new(),
        })
    }
}

#[async_trait]
impl ExtendedQueryHandler for Door {
    type Statement = Prepared;
    type QueryParser = Self;

    fn query_parser(&self) -> Arc<Self> {
        Arc::new(self.clone())
    }

    /// The library's own would hold all rows that a portal has.
    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let portal = match client.portal_store().get_portal(name) {
            Some(Entry::Value(portal)) => portal,
            Some(Entry::Empty) => {
                let empty = PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse);
                return Ok(client.feed(empty).await?);
            }
            None => return Err(PgWireError::PortalNotFound(name.to_owned())),
        };
        let state = portal.state();
        let mut state = state.lock().await;
        if matches!(*state, PortalExecutionState::Initial) {
            match ExtendedQueryHandler::do_query(self, client, &portal, 0).await? {
                Response::Query(rows) => *state = PortalExecutionState::Suspended(rows),
                other => return done(client, other).await,
            }
        }
        let most = usize::try_from(message.max_rows).ok().filter(|most| *most > 0);
        let mut sent = 0;
        if let PortalExecutionState::Suspended(rows) = &mut *state {
            while most.is_none_or(|most| sent < most) {
                let Some(row) = rows.data_rows().next().await else {
                    *state = PortalExecutionState::Finished;
                    break;
                };
                client.feed(PgWireBackendMessage::DataRow(row?)).await?;
                sent += 1;
            }
        }
        match &*state {
            PortalExecutionState::Finished => send_execution_response(client, Tag::new("SELECT").with_rows(sent)).await,
            _ => Ok(client
                .feed(PgWireBackendMessage::PortalSuspended(PortalSuspended))
                .await?),
        }
    }

    async fn do_query<C>(&self, client: &mut C, portal: &Portal<Prepared>, _: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let (session, login) = self.session(client).await?;
        let prepared = &portal.statement.statement;
        let parameters = parameters(portal, prepared)?;
        let wanted = &portal.result_column_format;
        self.run(&session, &login, &prepared.statement, parameters, wanted)
            .await
    }
}

async fn done<C>(client: &mut C, response: Response) -> PgWireResult<()>
where
    C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    C::Error: Debug,
{
    let status = client.transaction_status();
    let (tag, status) = match response {
        Response::TransactionStart(tag) => (tag, status.to_in_transaction_state()),
        Response::TransactionEnd(tag) => (tag, status.to_idle_state()),
        Response::Execution(tag) => (tag, status),
        _ => return Ok(()),
    };
    client.set_transaction_status(status);
    send_execution_response(client, tag).await
}

fn parameters(portal: &Portal<Prepared>, prepared: &Prepared) -> PgWireResult<Vec<Parameter>> {
    let implied = |index: usize| prepared.described.as_ref()?.parameters.get(index)?.as_ref();
    let read = |(index, bytes): (usize, &Option<Bytes>)| {
        let declared = prepared.declared.get(index).cloned().flatten();
        let sent_as = declared
            .clone()
            .or_else(|| implied(index).map(|of| rows::wire(lakehouse::postgres::pg_type(of))));
        let sent_as = sent_as.unwrap_or(Type::TEXT);
        let text = match bytes {
            None => None,
            Some(bytes) => {
                let name = if rows::is_binary(&portal.parameter_format, index) {
                    sent_as.name()
                } else {
                    "text"
                };
                let wrong = || Problem::new("invalid_sql", format!("${} can't be read as {sent_as}", index + 1));
                Some(text_of(name, bytes.clone()).ok_or_else(|| error(wrong()))?)
            }
        };
        let data_type = declared.and_then(|of| lake_type(of.name()));
        PgWireResult::Ok(Parameter { text, data_type })
    };
    portal.parameters.iter().enumerate().map(read).collect()
}

/// The widest type of a family, since the lake has no smaller numbers.
fn lake_type(name: &str) -> Option<lakehouse::arrow::datatypes::DataType> {
    use lakehouse::arrow::datatypes::{DataType, TimeUnit};
    Some(match name {
        "bool" => DataType::Boolean,
        "int2" | "int4" | "int8" => DataType::Int64,
        "float4" | "float8" => DataType::Float64,
        "numeric" => DataType::Decimal128(38, 9),
        "date" => DataType::Date32,
        "timestamp" | "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => return None,
    })
}
