//! Statements: at once, or prepared, bound and executed. All of them run in the session of whoever holds the token.

use super::{
    Postgres,
    error::{error, failed, fatal},
    login::Login,
    rows,
    values::text_of,
};
use crate::problem::Problem;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{Sink, SinkExt, StreamExt};
use lakehouse::{
    Described, Parameter, QueryStream, Session,
    postgres::{Statement, setting},
};
use pgwire::{
    api::{
        ClientInfo, ClientPortalStore, DEFAULT_NAME, Type,
        portal::{Format, Portal, PortalExecutionState},
        query::{ExtendedQueryHandler, SimpleQueryHandler, send_execution_response},
        results::{FieldInfo, Response, Tag},
        stmt::{QueryParser, StoredStatement},
        store::{Entry, PortalStore},
    },
    error::{PgWireError, PgWireResult},
    messages::{
        PgWireBackendMessage,
        extendedquery::{Bind, BindComplete, Close, CloseComplete, Execute, Parse, ParseComplete, PortalSuspended},
        response::EmptyQueryResponse,
    },
};
use std::{fmt::Debug, sync::Arc};
use tokio_util::sync::CancellationToken;

/// A statement that was parsed, and what it will take and answer.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    statement: Statement,
    described: Option<Described>,
    declared: Vec<Option<Type>>,
}

impl Prepared {
    /// The type that a client sends for a place: what it has said, or what it was told.
    fn parameter(&self, index: usize) -> Type {
        if let Some(declared) = self.declared.get(index).cloned().flatten() {
            return declared;
        }
        let implied = self
            .described
            .as_ref()
            .and_then(|described| described.parameters.get(index));
        implied.map_or(Type::TEXT, |of| rows::wire(lakehouse::postgres::pg_type(of)))
    }
}

/// The protocol's names for what is kept.
const STATEMENT: u8 = b'S';
const PORTAL: u8 = b'P';

impl Postgres {
    fn login(&self, client: &impl ClientInfo) -> PgWireResult<Arc<Login>> {
        let login = client.session_extensions().get::<Login>();
        login.ok_or_else(|| fatal(Problem::new("unauthenticated", "log in first")))
    }

    async fn session(&self, client: &(impl ClientInfo + Sync)) -> PgWireResult<(Session, Arc<Login>)> {
        let login = self.login(client)?;
        Ok((login.session(self).await?, login))
    }

    /// Places in error messages are places in what the client has `sent`.
    async fn query(
        &self,
        (session, login): &(Session, Arc<Login>),
        sql: &str,
        sent: &str,
        parameters: Vec<Parameter>,
    ) -> PgWireResult<(QueryStream, CancellationToken)> {
        let cancel = login.begin();
        let answer = tokio::select! {
            () = cancel.cancelled() => return Err(PgWireError::QueryCanceled),
            answer = session.sql_with(sql, parameters) => answer,
        };
        let answer = answer.map_err(|failure| failed(failure, if sql == sent { sent } else { "" }))?;
        Ok((answer, cancel))
    }

    /// What is answered without the lake.
    fn say<C: ClientInfo + ClientPortalStore>(client: &C, login: &Login, statement: &Statement) -> Response
    where
        C::PortalStore: PortalStore,
    {
        match statement {
            Statement::Query(_) => Response::EmptyQuery,
            Statement::Show(name) => Response::Query(rows::say(name, setting(name))),
            Statement::Begin => Response::TransactionStart(Tag::new("BEGIN")),
            Statement::End(tag) => Response::TransactionEnd(Tag::new(tag)),
            Statement::Deallocate(name) => {
                let gone = login.forget(STATEMENT, name.as_deref());
                gone.iter().for_each(|name| client.portal_store().rm_statement(name));
                Response::Execution(Tag::new("DEALLOCATE"))
            }
            Statement::Done(tag) => Response::Execution(Tag::new(tag)),
        }
    }
}

#[async_trait]
impl SimpleQueryHandler for Postgres {
    async fn do_query<C>(&self, client: &mut C, sql: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let who = self.session(client).await?;
        let statements = who.0.statements(sql).await.map_err(|failure| failed(failure, sql))?;
        // Each answer is a query that waits with its rows; they would take all turns.
        let queries = |statement: &&Statement| matches!(statement, Statement::Query(_));
        if statements.iter().filter(queries).count() > 1 {
            return Err(error(Problem::new("invalid_sql", "send one query at a time")));
        }
        let mut answers = Vec::new();
        for statement in &statements {
            answers.push(match statement {
                Statement::Query(ours) => {
                    let (answer, cancel) = self.query(&who, ours, sql, Vec::new()).await?;
                    let columns = answer.schema();
                    Response::Query(rows::respond(answer, &columns, &Format::UnifiedText, cancel)?)
                }
                other => Self::say(client, &who.1, other),
            });
        }
        Ok(answers)
    }
}

#[async_trait]
impl QueryParser for Postgres {
    type Statement = Prepared;

    async fn parse_sql<C>(&self, client: &C, sql: &str, types: &[Option<Type>]) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let (session, _) = self.session(client).await?;
        let statements = session.statements(sql).await;
        let mut statements = statements.map_err(|failure| failed(failure, sql))?;
        let statement = match (statements.pop(), statements.is_empty()) {
            (Some(only), true) => only,
            (None, _) => return Ok(None),
            _ => return Err(error(Problem::new("invalid_sql", "prepare one statement at a time"))),
        };
        let declared = types.iter().map(|of| Parameter {
            text: None,
            data_type: of.as_ref().and_then(|of| lake_type(of.name())),
        });
        let described = match &statement {
            Statement::Query(ours) => {
                let described = session.describe(ours, declared.collect()).await;
                Some(described.map_err(|failure| failed(failure, if ours == sql { sql } else { "" }))?)
            }
            _ => None,
        };
        Ok(Some(Prepared {
            statement,
            described,
            declared: types.to_vec(),
        }))
    }

    fn get_parameter_types(&self, prepared: &Prepared) -> PgWireResult<Vec<Type>> {
        let places = prepared
            .described
            .as_ref()
            .map_or(0, |described| described.parameters.len());
        Ok((0..places).map(|index| prepared.parameter(index)).collect())
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
impl ExtendedQueryHandler for Postgres {
    type Statement = Prepared;
    type QueryParser = Self;

    fn query_parser(&self) -> Arc<Self> {
        Arc::new(self.clone())
    }

    async fn on_parse<C>(&self, client: &mut C, message: Parse) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        self.login(client)?.keep(STATEMENT, name)?;
        match StoredStatement::parse(client, &message, self.query_parser()).await? {
            Some(statement) => client.portal_store().put_statement(Arc::new(statement)),
            None => client.portal_store().put_empty_statement(name),
        }
        let complete = PgWireBackendMessage::ParseComplete(ParseComplete::new());
        Ok(client.feed(complete).await?)
    }

    async fn on_bind<C>(&self, client: &mut C, message: Bind) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.portal_name.as_deref().unwrap_or(DEFAULT_NAME);
        self.login(client)?.keep(PORTAL, name)?;
        let from = message.statement_name.as_deref().unwrap_or(DEFAULT_NAME);
        match client.portal_store().get_statement(from) {
            Some(Entry::Value(statement)) => {
                let portal = Portal::try_new(&message, statement)?;
                client.portal_store().put_portal(Arc::new(portal));
            }
            Some(Entry::Empty) => client.portal_store().put_empty_portal(name),
            None => return Err(PgWireError::StatementNotFound(from.to_owned())),
        }
        let complete = PgWireBackendMessage::BindComplete(BindComplete::new());
        Ok(client.feed(complete).await?)
    }

    async fn on_close<C>(&self, client: &mut C, message: Close) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        self.login(client)?.forget(message.target_type, Some(name));
        match message.target_type {
            PORTAL => client.portal_store().rm_portal(name),
            _ => client.portal_store().rm_statement(name),
        }
        let complete = PgWireBackendMessage::CloseComplete(CloseComplete::new());
        Ok(client.feed(complete).await?)
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
                let empty = PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new());
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
                .feed(PgWireBackendMessage::PortalSuspended(PortalSuspended::new()))
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
        let who = self.session(client).await?;
        let prepared = &portal.statement.statement;
        let (Statement::Query(sql), Some(described)) = (&prepared.statement, &prepared.described) else {
            return Ok(Self::say(client, &who.1, &prepared.statement));
        };
        let (answer, cancel) = self.query(&who, sql, "", parameters(portal, prepared)?).await?;
        let wanted = &portal.result_column_format;
        Ok(Response::Query(rows::respond(
            answer,
            &described.columns,
            wanted,
            cancel,
        )?))
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
    let read = |(index, bytes): (usize, &Option<Bytes>)| {
        let of = prepared.parameter(index);
        let wrong = || Problem::new("invalid_field", format!("${} can't be read as {of}", index + 1));
        let name = match rows::is_binary(&portal.parameter_format, index) {
            true => of.name(),
            false => "text",
        };
        let text = bytes
            .clone()
            .map(|bytes| text_of(name, bytes).ok_or_else(|| error(wrong())));
        PgWireResult::Ok(Parameter {
            text: text.transpose()?,
            data_type: lake_type(of.name()),
        })
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
