//! What the program tells of itself while it works: a log on standard error, and, where an address for them is set,
//! traces over OpenTelemetry's protocol (OTLP over HTTP). Figures for Prometheus are in `figures`.

use crate::redact::Guarded;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Sampler, SdkTracer, SdkTracerProvider, SpanData},
};
use std::{
    io::{self, IsTerminal},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::runtime::Handle;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    fmt::MakeWriter,
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Ours in detail, others' when it matters. The kernel calls a table that does not exist yet an error, and the database
/// driver prints whole statements; what they mean reaches us as typed errors.
const LOG: &str = "warn,serving=info,ingest=info,lakehouse=info,transactional=info,buoyant_kernel=off,sqlx=error";
/// For a command whose output is for a person at once.
const QUIET_LOG: &str = "off,serving=error,ingest=error,lakehouse=error,transactional=error";

/// Their details are statements, plans, rows and headers: what people asked and who they are. Whatever the filter says,
/// only what they warn of is written.
const TALKATIVE: &[&str] = &[
    "arrow",
    "aws_",
    "axum",
    "buoyant_kernel",
    "datafusion",
    "delta",
    "h2",
    "hyper",
    "object_store",
    "parquet",
    "rdkafka",
    "reqwest",
    "rustls",
    "sqlparser",
    "sqlx",
    "tower",
];

/// The crates whose spans make a trace.
const OURS: &[&str] = &["serving", "ingest", "lakehouse", "transactional"];

/// A stop waits no longer than this for the last spans to be taken.
const FLUSH: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Args)]
pub struct TelemetryOptions {
    /// How the log on standard error is written: for people, or as JSON, an object a line. What is in it, BILTEN_LOG
    /// says (for example `info,lakehouse=debug`)
    #[arg(
        long,
        env = "BILTEN_LOG_FORMAT",
        global = true,
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "Telemetry"
    )]
    pub log_format: LogFormat,

    /// Where traces go, the address of an OTLP/HTTP collector such as http://localhost:4318; unset: nowhere
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        global = true,
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Telemetry"
    )]
    pub otlp_endpoint: Option<String>,

    /// The share of requests that are traced, from 0 to 1; whoever sends a `traceparent` decides for its own
    #[arg(
        long,
        env = "OTEL_TRACES_SAMPLER_ARG",
        global = true,
        default_value_t = 1.0,
        value_name = "RATIO",
        help_heading = "Telemetry"
    )]
    pub trace_ratio: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

static TRACING: AtomicBool = AtomicBool::new(false);

/// Whether spans go anywhere.
pub fn is_tracing() -> bool {
    TRACING.load(Ordering::Relaxed)
}

/// Log and traces, until `stop`.
#[must_use]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Begins to log, and to trace if the command serves. `role` is what the process does of the program.
    pub fn start(options: &TelemetryOptions, role: Option<String>, runtime: &Handle) -> Result<Self> {
        let default = if role.is_some() { LOG } else { QUIET_LOG };
        let filter = EnvFilter::try_from_env("BILTEN_LOG").unwrap_or_else(|_| EnvFilter::new(default));
        let log = log_layer(options.log_format).with_filter(filter.and(filter_fn(|about| !is_talk(about))));
        let endpoint = options.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
        let Some((endpoint, role)) = endpoint.zip(role) else {
            tracing_subscriber::registry().with(log).init();
            return Ok(Self(None));
        };
        let provider = provider(endpoint, options.trace_ratio, role, runtime)?;
        let tracer: SdkTracer = provider.tracer("bilten");
        let traces = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_context_activation(false)
            .with_filter(filter_fn(is_traced));
        tracing_subscriber::registry().with(log).with(traces).init();
        TRACING.store(true, Ordering::Relaxed);
        Ok(Self(Some(provider)))
    }

    /// Sends what waits. It blocks, and needs the runtime that it was started on.
    pub fn stop(self) {
        if let Some(Err(error)) = self.0.map(|provider| provider.shutdown_with_timeout(FLUSH)) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

fn log_layer<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let log = tracing_subscriber::fmt::layer()
        .with_writer(GuardedStderr)
        .with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).boxed(),
    }
}

struct GuardedStderr;

impl<'a> MakeWriter<'a> for GuardedStderr {
    type Writer = Guarded<io::StderrLock<'static>>;

    fn make_writer(&'a self) -> Self::Writer {
        Guarded::new(io::stderr().lock())
    }
}

fn is_talk(about: &Metadata<'_>) -> bool {
    *about.level() > Level::WARN && TALKATIVE.iter().any(|target| about.target().starts_with(target))
}

/// Spans alone: what a line of the log says is not blacked out on its way to a collector.
fn is_traced(about: &Metadata<'_>) -> bool {
    let target = about.target().split("::").next().unwrap_or_default();
    about.is_span() && OURS.contains(&target) && *about.level() <= Level::DEBUG
}

fn provider(endpoint: &str, ratio: f64, role: String, runtime: &Handle) -> Result<SdkTracerProvider> {
    let traces = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_endpoint(traces).build();
    let exporter = exporter.context("traces can't be sent to the address in --otlp-endpoint")?;
    let resource = Resource::builder()
        .with_service_name("bilten")
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", uuid::Uuid::now_v7().to_string()),
            KeyValue::new("bilten.role", role),
        ])
        .build();
    let exporter = OnRuntime {
        exporter: Arc::new(exporter),
        runtime: runtime.clone(),
    };
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
        .with_batch_exporter(exporter)
        .build())
}

/// The kit exports on a thread of its own, where nothing drives the HTTP client's sockets and clocks; here they are.
#[derive(Debug)]
struct OnRuntime {
    exporter: Arc<SpanExporter>,
    runtime: Handle,
}

impl opentelemetry_sdk::trace::SpanExporter for OnRuntime {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let (exporter, spans) = (Arc::clone(&self.exporter), batch.len());
        let exported = self.runtime.spawn(async move { exporter.export(batch).await }).await;
        let result = exported.unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())));
        if let Err(error) = &result {
            tracing::warn!(%error, spans, "spans can't be sent, and are lost");
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Nobody else has it yet: the kit calls this before it exports.
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_traces_and_the_format_have_defaults() {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            telemetry: TelemetryOptions,
        }
        let line = Line::try_parse_from(["bilten", "--log-format", "json"]).unwrap();
        assert_eq!(line.telemetry.log_format, LogFormat::Json);
        assert!(Line::try_parse_from(["bilten", "--log-format", "xml"]).is_err());
    }
}
