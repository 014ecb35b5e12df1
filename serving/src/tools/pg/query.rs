//! Statements: at once, or prepared, bound and executed. All of them run in the session of whoever holds the token.

use super::{
    Postgres,
    error::{error, failed, fatal, said},
    login::{Login, Stop},
    prepared::{Prepared, lake_type},
    rows,
};
use crate::problem::Problem;
use async_trait::async_trait;
use futures::{Sink, SinkExt, StreamExt};
use lakehouse::{Parameter, QueryStream, Session, postgres::Statement};
use pgwire::{
    api::{
        ClientInfo, ClientPortalStore, DEFAULT_NAME, PgWireConnectionState, Type,
        portal::{Format, Portal, PortalExecutionState},
        query::{
            ExtendedQueryHandler, SimpleQueryHandler, send_execution_response, send_query_response,
            send_ready_for_query,
        },
        results::{FieldInfo, Response, Tag},
        stmt::{QueryParser, StoredStatement},
        store::{Entry, PortalStore},
    },
    error::{PgWireError, PgWireResult},
    messages::{
        PgWireBackendMessage,
        extendedquery::{Bind, BindComplete, Close, CloseComplete, Execute, Parse, ParseComplete, PortalSuspended},
        response::{EmptyQueryResponse, TransactionStatus},
        simplequery::Query,
    },
};
use std::{fmt::Debug, sync::Arc};

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
    ) -> PgWireResult<(QueryStream, Stop)> {
        let stop = login.begin();
        let answer = tokio::select! {
            why = stop.stopped() => return Err(why),
            answer = session.sql_with(sql, parameters) => answer,
        };
        let answer = answer.map_err(|failure| failed(failure, if sql == sent { sent } else { "" }))?;
        Ok((answer, stop))
    }

    /// What is answered without the lake.
    fn say<C>(client: &mut C, login: &Login, statement: &Statement) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore,
        C::PortalStore: PortalStore,
    {
        let status = client.transaction_status();
        let tag = match statement {
            Statement::Query(_) => return Ok(Response::EmptyQuery),
            Statement::Show(name) => {
                let value = login.settings().show(name).map_err(PgWireError::UserError)?;
                return Ok(Response::Query(rows::say(name, &value)));
            }
            Statement::Refused(why) => return Err(PgWireError::UserError(said("0A000", why))),
            Statement::Set { name, value, local } => {
                let set = login.settings().set(name, value, *local);
                set.map_err(PgWireError::UserError)?;
                "SET"
            }
            Statement::Reset(name) => {
                login.settings().reset(name.as_deref());
                "RESET"
            }
            Statement::Begin => {
                client.set_transaction_status(status.to_in_transaction_state());
                "BEGIN"
            }
            Statement::End(tag) => {
                client.set_transaction_status(TransactionStatus::Idle);
                login.settings().end();
                match status {
                    TransactionStatus::Error => "ROLLBACK",
                    _ => tag,
                }
            }
            Statement::BackTo if matches!(status, TransactionStatus::Idle) => {
                return Err(PgWireError::UserError(said(
                    "25P01",
                    "there is no transaction to roll back in",
                )));
            }
            Statement::BackTo => {
                client.set_transaction_status(TransactionStatus::Transaction);
                "ROLLBACK"
            }
            Statement::Deallocate(name) => {
                let gone = login.forget(STATEMENT, name.as_deref());
                gone.iter().for_each(|name| client.portal_store().rm_statement(name));
                "DEALLOCATE"
            }
            Statement::Done(tag) => tag,
        };
        Ok(Response::Execution(Tag::new(tag)))
    }
}

#[async_trait]
impl SimpleQueryHandler for Postgres {
    /// The library's own would not know of a transaction's state between the statements of one message.
    async fn on_query<C>(&self, client: &mut C, message: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        let responses = SimpleQueryHandler::do_query(self, client, &message.query).await?;
        for response in responses {
            done(client, response).await?;
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        let status = client.transaction_status();
        send_ready_for_query(client, status).await
    }

    /// What came before the last is sent at once, so that the state is what the client has been told.
    async fn do_query<C>(&self, client: &mut C, sql: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let who = self.session(client).await?;
        let statements = who.0.statements(sql).await.map_err(|failure| failed(failure, sql))?;
        let queries = |statement: &&Statement| matches!(statement, Statement::Query(_));
        if statements.iter().filter(queries).count() > 1 {
            return Err(error(Problem::new("invalid_sql", "send one query at a time")));
        }
        let mut last = None;
        for statement in &statements {
            if let Some(before) = last.take() {
                done(client, before).await?;
            }
            permit(client, statement)?;
            last = Some(match statement {
                Statement::Query(ours) => {
                    let (answer, stop) = self.query(&who, ours, sql, Vec::new()).await?;
                    let columns = answer.schema();
                    Response::Query(rows::respond(answer, &columns, &Format::UnifiedText, stop)?)
                }
                other => Self::say(client, &who.1, other)?,
            });
        }
        Ok(vec![last.unwrap_or(Response::EmptyQuery)])
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
        permit(client, &statement)?;
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
        Ok((0..prepared.places()).map(|index| prepared.parameter(index)).collect())
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
        } else {
            // The rest of the rows too is for whoever still may ask.
            self.session(client).await?;
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
        permit(client, &prepared.statement)?;
        let (Statement::Query(sql), Some(described)) = (&prepared.statement, &prepared.described) else {
            return Self::say(client, &who.1, &prepared.statement);
        };
        let (answer, stop) = self.query(&who, sql, "", prepared.parameters(portal)?).await?;
        let wanted = &portal.result_column_format;
        Ok(Response::Query(rows::respond(
            answer,
            &described.columns,
            wanted,
            stop,
        )?))
    }
}

async fn done<C>(client: &mut C, response: Response) -> PgWireResult<()>
where
    C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    C::Error: Debug,
{
    match response {
        Response::Query(rows) => send_query_response(client, rows, true).await,
        Response::Execution(tag) => send_execution_response(client, tag).await,
        _ => {
            let empty = PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new());
            Ok(client.feed(empty).await?)
        }
    }
}

/// After a failure a transaction takes nothing but its end.
fn permit(client: &impl ClientInfo, statement: &Statement) -> PgWireResult<()> {
    let ends = matches!(statement, Statement::End(_) | Statement::BackTo);
    match client.transaction_status() {
        TransactionStatus::Error if !ends => Err(PgWireError::UserError(said(
            "25P02",
            "the transaction has failed: end it with ROLLBACK, and nothing else is done before",
        ))),
        _ => Ok(()),
    }
}
