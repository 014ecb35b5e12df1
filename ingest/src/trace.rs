//! Traces over the whole way of a change. A batch of the relay or the sink carries changes of many requests, so it has a
//! span of its own, and a short one in the trace of each of these requests, linked with each other. W3C's `traceparent`
//! is what a change takes along. Without an exporter all of this is one comparison a batch.

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use std::collections::HashSet;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// A span keeps no more links than this, and nobody looks at more traces of one batch.
const MOST_TRACES: usize = 128;

/// A batch under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct TracedBatch {
    pub(crate) span: Span,
    _in_traces: Vec<Span>,
}

impl TracedBatch {
    /// Begins the span of each request that the batch has changes of. `stage` is what they are called.
    pub(crate) fn begin<'a>(
        span: Span,
        stage: &'static str,
        traceparents: impl Iterator<Item = Option<&'a str>>,
    ) -> Self {
        let mut in_traces = Vec::new();
        // A span that nobody collects is none, and then nothing is looked up.
        if !span.is_disabled() {
            let mut known = HashSet::new();
            let fresh = traceparents.flatten().filter(|traceparent| known.insert(*traceparent));
            for remote in fresh
                .filter_map(parse)
                .filter(SpanContext::is_sampled)
                .take(MOST_TRACES)
            {
                let own = tracing::debug_span!(parent: None, "stage", otel.name = stage);
                span.add_link(remote.clone());
                // It fails where spans are only written to the log, and there is nothing to connect then.
                let _ = own.set_parent(Context::new().with_remote_span_context(remote));
                own.add_link(context_of(&span));
                in_traces.push(own);
            }
        }
        Self {
            span,
            _in_traces: in_traces,
        }
    }
}

/// Makes a span the child of the one that a client's or a change's `traceparent` names. Without effect if that is
/// malformed, as W3C wants it: the trace begins anew.
pub fn continue_trace(span: &Span, traceparent: &str) {
    if let Some(remote) = parse(traceparent) {
        let _ = span.set_parent(Context::new().with_remote_span_context(remote));
    }
}

/// The `traceparent` under which what a span causes is to continue its trace. `None` where no trace is kept.
pub fn traceparent(span: &Span) -> Option<String> {
    let context = context_of(span);
    context.is_valid().then(|| {
        let flags = context.trace_flags() & TraceFlags::SAMPLED;
        format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id())
    })
}

/// What is well-formed of a `traceparent` that came from outside.
pub fn is_well_formed(traceparent: &str) -> bool {
    parse(traceparent).is_some()
}

fn context_of(span: &Span) -> SpanContext {
    span.context().span().span_context().clone()
}

/// Version 0: `00-<32 hex>-<16 hex>-<2 hex>`, all in lower case. A later version may go on after a further dash.
fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let version = hex(parts.next()?, 2).filter(|version| *version != "ff")?;
    let trace_id = TraceId::from_hex(hex(parts.next()?, 32)?).ok()?;
    let span_id = SpanId::from_hex(hex(parts.next()?, 16)?).ok()?;
    let flags = u8::from_str_radix(hex(parts.next()?, 2)?, 16).ok()?;
    if version == "00" && parts.next().is_some() {
        return None;
    }
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    let context = SpanContext::new(trace_id, span_id, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

fn hex(text: &str, length: usize) -> Option<&str> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == length && text.bytes().all(lower)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_as_w3c_writes_it() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = parse(good).unwrap();
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let later = parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02-more").unwrap();
        assert!(!later.is_sampled(), "bits that we don't know say nothing");
        for wrong in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn without_an_exporter_there_is_nothing_to_continue() {
        let span = Span::none();
        assert_eq!(traceparent(&span), None);
        let looked_up = std::cell::Cell::new(0);
        let traceparents = std::iter::once(Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        let counted = traceparents.inspect(|_| looked_up.set(looked_up.get() + 1));
        drop(TracedBatch::begin(span, "relay", counted));
        assert_eq!(looked_up.get(), 0, "a record's headers are not searched for nothing");
    }
}
