//! The calls of Flight SQL that read: statements, prepared statements, and what there is.

use super::{
    Flight,
    handle::{Handle, MANY},
    refuse, tables, token,
};
use crate::problem::Problem;
use arrow_flight::{
    Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, SchemaAsIpc, Ticket,
    encode::FlightDataEncoderBuilder,
    error::FlightError,
    flight_service_server::FlightService,
    sql::{
        ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
        CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
        CommandPreparedStatementQuery, CommandPreparedStatementUpdate, CommandStatementQuery, CommandStatementUpdate,
        DoPutPreparedStatementResult, ProstMessageExt, SqlInfo, TicketStatementQuery,
        server::{FlightSqlService, PeekableFlightDataStream},
    },
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use lakehouse::{
    RecordBatch, SchemaRef,
    arrow::{
        datatypes::{Field, Schema},
        ipc::writer::IpcWriteOptions,
    },
    output,
};
use prost::Message;
use std::{pin::Pin, sync::Arc};
use tonic::{Request, Response, Status, Streaming, metadata::MetadataValue};

/// What a statement that changes something is told.
const ONLY: &str = "a query can only read: fetch its rows";

type Rows = Response<<Flight as FlightService>::DoGetStream>;
type Greeting = Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>;

/// A query is planned once to tell its columns and once to run, and the two may differ in what can be null.
fn loose(schema: &SchemaRef) -> SchemaRef {
    let schema = output::in_micros_schema(schema);
    let field = |field: &Arc<Field>| Field::new(field.name(), field.data_type().clone(), true);
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

/// Where the rows of a statement are fetched: here, by its handle.
fn info(descriptor: FlightDescriptor, schema: &Schema, ticket: Vec<u8>) -> Result<Response<FlightInfo>, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket { ticket: ticket.into() });
    let info = FlightInfo::new().try_with_schema(schema).map_err(Problem::internal);
    let info = info
        .map_err(refuse)?
        .with_endpoint(endpoint)
        .with_descriptor(descriptor);
    Ok(Response::new(info))
}

/// A few rows that are known.
pub(super) fn rows(batch: Result<RecordBatch, impl std::fmt::Display>) -> Result<Rows, Status> {
    let batch = batch.map_err(|error| refuse(Problem::internal(error)))?;
    let encoder = FlightDataEncoderBuilder::new().with_schema(batch.schema());
    let data = encoder.build(stream::once(async { Ok(batch) }));
    Ok(Response::new(data.map_err(Status::from).boxed()))
}

impl Flight {
    async fn info_of<T>(
        &self,
        handle: Handle,
        request: &Request<T>,
        descriptor: FlightDescriptor,
    ) -> Result<Response<FlightInfo>, Status> {
        let session = self.session(request).await?;
        let described = session
            .describe(&handle.sql, handle.parameters())
            .await
            .map_err(refuse)?;
        let ticket = TicketStatementQuery {
            statement_handle: handle.bytes()?.into(),
        };
        info(descriptor, &loose(&described.columns), ticket.as_any().encode_to_vec())
    }

    /// The rows as they come. gRPC asks for more when the client has taken what it has.
    async fn rows_of<T>(&self, handle: &[u8], request: &Request<T>) -> Result<Rows, Status> {
        let session = self.session(request).await?;
        let handle = Handle::read(handle)?;
        let answer = session
            .sql_with(&handle.sql, handle.parameters())
            .await
            .map_err(refuse)?;
        let schema = loose(&answer.schema());
        let encoder = FlightDataEncoderBuilder::new().with_schema(Arc::clone(&schema));
        let batches = answer.map(move |batch| {
            let batch = batch.and_then(|batch| output::in_micros(&batch));
            let batch = batch.map_err(|error| FlightError::Tonic(Box::new(refuse(error))))?;
            Ok(RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec())?)
        });
        Ok(Response::new(encoder.build(batches).map_err(Status::from).boxed()))
    }
}

#[tonic::async_trait]
impl FlightSqlService for Flight {
    type FlightService = Flight;

    /// The token that is given as a password comes back as what to send from now on.
    async fn do_handshake(&self, request: Request<Streaming<HandshakeRequest>>) -> Result<Greeting, Status> {
        self.session(&request).await?;
        let token = token(request.metadata()).map_err(refuse)?;
        let value =
            MetadataValue::try_from(format!("Bearer {token}")).map_err(|error| refuse(Problem::internal(error)))?;
        let greeting = HandshakeResponse {
            protocol_version: 0,
            payload: token.into(),
        };
        let mut response: Greeting = Response::new(Box::pin(stream::iter([Ok(greeting)])));
        response.metadata_mut().insert("authorization", value);
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let descriptor = request.get_ref().clone();
        self.info_of(Handle::new(&query.query), &request, descriptor).await
    }

    async fn do_get_statement(&self, ticket: TicketStatementQuery, request: Request<Ticket>) -> Result<Rows, Status> {
        self.rows_of(&ticket.statement_handle, &request).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let session = self.session(&request).await?;
        let handle = Handle::new(&query.query);
        let described = session.describe(&handle.sql, Vec::new()).await.map_err(refuse)?;
        let parameters = described.parameters.iter().enumerate();
        let parameters = parameters.map(|(index, of)| Field::new(format!("${}", index + 1), of.clone(), true));
        let ipc = |schema: &Schema| {
            let message = SchemaAsIpc::new(schema, &IpcWriteOptions::default()).try_into();
            let message: Result<arrow_flight::IpcMessage, _> = message;
            message
                .map(|message| message.0)
                .map_err(|error| refuse(Problem::internal(error)))
        };
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.bytes()?.into(),
            dataset_schema: ipc(&loose(&described.columns))?,
            parameter_schema: ipc(&Schema::new(parameters.collect::<Vec<_>>()))?,
        })
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let session = self.session(&request).await?;
        let handle = Handle::read(&query.prepared_statement_handle)?;
        let data = request
            .into_inner()
            .map_err(|status| FlightError::Tonic(Box::new(status)));
        let mut batches = arrow_flight::decode::FlightRecordBatchStream::new_from_flight_data(data);
        let mut bound = None;
        while let Some(batch) = batches.try_next().await? {
            if batch.num_rows() == 0 {
                continue;
            }
            if bound.replace(batch).is_some() {
                return Err(refuse(Problem::new("invalid_sql", MANY)));
            }
        }
        let handle = match bound {
            Some(row) => {
                let described = session.describe(&handle.sql, Vec::new()).await.map_err(refuse)?;
                handle.with(&row, described.parameters.len())?
            }
            None => handle,
        };
        Ok(DoPutPreparedStatementResult {
            prepared_statement_handle: Some(handle.bytes()?.into()),
        })
    }

    /// How drivers execute a statement whose rows they do not want, or for many rows of values.
    async fn do_put_prepared_statement_update(
        &self,
        _: CommandPreparedStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.session(&request).await?;
        Err(refuse(Problem::new("query_forbidden", format!("{ONLY}; {MANY}"))))
    }

    async fn do_put_statement_update(
        &self,
        _: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.session(&request).await?;
        Err(refuse(Problem::new("query_forbidden", ONLY)))
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let descriptor = request.get_ref().clone();
        let handle = Handle::read(&query.prepared_statement_handle)?;
        self.info_of(handle, &request, descriptor).await
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Rows, Status> {
        self.rows_of(&query.prepared_statement_handle, &request).await
    }

    /// Nothing was kept.
    async fn do_action_close_prepared_statement(
        &self,
        _: ActionClosePreparedStatementRequest,
        _: Request<Action>,
    ) -> Result<(), Status> {
        Ok(())
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let ticket = query.as_any().encode_to_vec();
        info(request.into_inner(), &query.into_builder().schema(), ticket)
    }

    async fn do_get_catalogs(&self, query: CommandGetCatalogs, request: Request<Ticket>) -> Result<Rows, Status> {
        self.session(&request).await?;
        let mut catalogs = query.into_builder();
        catalogs.append(tables::CATALOG);
        rows(catalogs.build())
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let ticket = query.as_any().encode_to_vec();
        info(request.into_inner(), &query.into_builder().schema(), ticket)
    }

    async fn do_get_schemas(&self, query: CommandGetDbSchemas, request: Request<Ticket>) -> Result<Rows, Status> {
        let session = self.session(&request).await?;
        tables::schemas(&session, query).await
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let ticket = query.as_any().encode_to_vec();
        info(request.into_inner(), &query.into_builder().schema(), ticket)
    }

    async fn do_get_tables(&self, query: CommandGetTables, request: Request<Ticket>) -> Result<Rows, Status> {
        let session = self.session(&request).await?;
        tables::tables(&session, query).await
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(
            request.into_inner(),
            &tables::type_schema(),
            query.as_any().encode_to_vec(),
        )
    }

    async fn do_get_table_types(&self, _: CommandGetTableTypes, request: Request<Ticket>) -> Result<Rows, Status> {
        self.session(&request).await?;
        tables::types()
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let ticket = query.as_any().encode_to_vec();
        let known = tables::known()?;
        info(request.into_inner(), &query.into_builder(&known).schema(), ticket)
    }

    async fn do_get_sql_info(&self, query: CommandGetSqlInfo, request: Request<Ticket>) -> Result<Rows, Status> {
        self.session(&request).await?;
        rows(query.into_builder(&tables::known()?).build())
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}
