//! The request that a command comes from. Whoever handles a request says so around it; every change that is made inside
//! carries it to the log and the lake, so that a row can be followed back to the request's logs and trace.

tokio::task_local! {
    static CURRENT: Correlation;
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correlation {
    /// The request's id, as its answer and its log lines have it.
    pub correlation_id: Option<String>,
    /// Its place in a trace, in the form of W3C Trace Context.
    pub traceparent: Option<String>,
}

/// It becomes a header of the log's records.
const LONGEST: usize = 128;

/// Runs `work`, and gives all commands that it sends to a store this correlation.
pub async fn with<F: Future>(correlation: Correlation, work: F) -> F::Output {
    let plain = |text: &String| text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
    let correlation = Correlation {
        correlation_id: correlation.correlation_id.filter(plain),
        traceparent: correlation.traceparent.filter(plain),
    };
    CURRENT.scope(correlation, work).await
}

pub(crate) fn current() -> Correlation {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}
