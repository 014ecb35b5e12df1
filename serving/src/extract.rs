//! How a request becomes values: bodies and parameters are parsed here, and what is wrong is said with a pointer.

use crate::problem::{Problem, Result};
use axum::{
    body::Bytes,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request, rejection::BytesRejection},
    http::{HeaderName, StatusCode, header, request::Parts},
};
use domain::message::Language;
use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::{
    fmt::Display,
    io::Read,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// The largest batch of interactions or imports, after decompression: it is held in memory while it is parsed.
pub const BATCH_LIMIT: usize = 8 << 20;

/// A JSON body. An unknown field is an error: a misspelt one would be lost in silence.
pub struct Body<T>(pub T);

/// A JSON body that may be large, and compressed.
pub struct Batch<T>(pub T);

/// A JSON body together with what makes a repeat of the request recognisable.
pub struct Once<T> {
    pub body: T,
    /// From the `Idempotency-Key` header.
    pub key: Option<String>,
    /// SHA-256 of method, path and body.
    pub request_hash: String,
}

/// An id in the path.
pub struct Id<T>(pub T);

/// Two ids in the path.
pub struct Ids<A, B>(pub A, pub B);

/// The address that a request came from.
pub struct ClientAddress(pub IpAddr);

/// The program that made a request, as it calls itself.
pub struct UserAgent(pub Option<String>);

/// The language that the caller would like to read, of those that there are mails in.
pub struct Spoken(pub Language);

/// The query string.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        expect_json(&request)?;
        parse(&bytes(request, state).await?).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Batch<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        expect_json(&request)?;
        parse(&batch(request, state).await?).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Once<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        expect_json(&request)?;
        let key = match request.headers().get("idempotency-key").map(|value| value.to_str()) {
            None => None,
            Some(Ok(key)) if (1..=255).contains(&key.len()) => Some(key.to_owned()),
            Some(_) => {
                return Err(Problem::new(
                    "invalid_parameter",
                    "Idempotency-Key is 1 to 255 ASCII characters",
                ));
            }
        };
        let mut hash = Sha256::new();
        hash.update(request.method().as_str());
        hash.update(request.uri().path());
        let bytes = bytes(request, state).await?;
        hash.update(&bytes);
        let request_hash = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            body: parse(&bytes)?,
            key,
            request_hash,
        })
    }
}

impl<T: FromStr<Err: Display> + Send, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::new("invalid_parameter", rejection.body_text()))?;
        from_path(&text).map(Self)
    }
}

impl<A, B, S> FromRequestParts<S> for Ids<A, B>
where
    A: FromStr<Err: Display> + Send,
    B: FromStr<Err: Display> + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Path((first, second)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::new("invalid_parameter", rejection.body_text()))?;
        Ok(Self(from_path(&first)?, from_path(&second)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(connected.map_or(IpAddr::from([127, 0, 0, 1]), |info| info.0.ip())))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for UserAgent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self(text_of(parts, &header::USER_AGENT)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Spoken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let tags = text_of(parts, &header::ACCEPT_LANGUAGE).unwrap_or_default();
        Ok(Self(Language::nearest(&tags)))
    }
}

fn text_of(parts: &Parts, name: &HeaderName) -> Option<String> {
    parts.headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn from_path<T: FromStr<Err: Display>>(text: &str) -> Result<T> {
    text.parse()
        .map_err(|error| Problem::new("invalid_parameter", format!("in the path: {error}")))
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Query(params) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::new("invalid_parameter", rejection.body_text()))?;
        Ok(Self(params))
    }
}

/// The whole body, within the limit that the router sets.
pub async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| match rejection {
            rejection if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new("body_too_large", "the body is larger than this address takes")
            }
            BytesRejection::FailedToBufferBody(_) => Problem::new("invalid_body", "the body broke off"),
            rejection => Problem::new("invalid_body", rejection.body_text()),
        })
}

/// The whole body of a batch, unpacked if it is gzip. It is taken in first and unpacked then, so that a client has sent
/// everything before it is told no; the limit counts what comes out as well, so that a small bomb stays small.
pub async fn batch<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes> {
    let encoding = request.headers().get(header::CONTENT_ENCODING).cloned();
    let body = bytes(request, state).await?;
    match encoding.as_ref().map(|value| value.as_bytes()) {
        None | Some(b"identity") => Ok(body),
        Some(b"gzip") => tokio::task::spawn_blocking(move || unpack(&body))
            .await
            .map_err(Problem::internal)?,
        Some(_) => Err(Problem::new(
            "unsupported_media_type",
            "bodies may be compressed with gzip only",
        )),
    }
}

fn unpack(packed: &[u8]) -> Result<Bytes> {
    let mut unpacked = Vec::new();
    let most = BATCH_LIMIT as u64 + 1;
    MultiGzDecoder::new(packed)
        .take(most)
        .read_to_end(&mut unpacked)
        .map_err(|error| Problem::new("invalid_body", format!("the body is not gzip: {error}")))?;
    if unpacked.len() > BATCH_LIMIT {
        return Err(Problem::new(
            "body_too_large",
            format!("unpacked, a body has at most {BATCH_LIMIT} bytes"),
        ));
    }
    Ok(unpacked.into())
}

fn expect_json(request: &Request) -> Result<()> {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(
        "unsupported_media_type",
        "send the body with Content-Type: application/json",
    ))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => Problem::new("invalid_field", inner.to_string()).at(pointer),
            _ => Problem::new("invalid_body", format!("this is not JSON: {inner}")),
        }
    })?;
    deserializer
        .end()
        .map_err(|error| Problem::new("invalid_body", format!("after the JSON: {error}")))?;
    Ok(value)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "only its parsing is looked at")]
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[expect(dead_code, reason = "only its parsing is looked at")]
        quantity: i64,
    }

    fn refused(body: &str) -> (String, Option<String>) {
        let problem = parse::<Order>(body.as_bytes()).unwrap_err();
        (problem.code.into_owned(), problem.pointer)
    }

    #[test]
    fn a_wrong_field_is_pointed_at_and_broken_json_is_told_apart() {
        let field = |pointer: &str| ("invalid_field".to_owned(), Some(pointer.to_owned()));
        assert_eq!(
            refused(r#"{"lines":[{"quantity":1},{"quantity":"x"}]}"#),
            field("/lines/1/quantity")
        );
        assert_eq!(
            refused(r#"{"lines":[{"quantity":1,"colour":2}]}"#),
            field("/lines/0/colour")
        );
        assert_eq!(refused(r#"{"lines":"#).0, "invalid_body");
        assert_eq!(refused("{\"lines\":[]} x").0, "invalid_body");
        assert_eq!(refused("\u{0}\u{1}").0, "invalid_body");
    }
}
