//! The secret that lets a buyer see an order, or somebody a place in a waiting list. Pages send it in a header, because
//! addresses stand in logs; a link to the API itself has it in the query.

use crate::{
    extract::Params,
    problem::{Problem, Result},
};
use axum::{extract::FromRequestParts, http::request::Parts};
use serde::Deserialize;
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
    },
};

const HEADER: &str = "bilten-secret";

/// The secret of a request, wherever it stands. Staff need none.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretQuery {
    pub secret: Option<String>,
}

/// The same for a route that has a query of its own.
pub struct SecretHeader(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for SecretHeader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let value = parts.headers.get(HEADER).and_then(|value| value.to_str().ok());
        Ok(Self(value.map(str::to_owned)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SecretQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Params(query) = Params::<Self>::from_request_parts(parts, state).await?;
        let SecretHeader(header) = SecretHeader::from_request_parts(parts, state).await?;
        Ok(Self {
            secret: header.or(query.secret),
        })
    }
}

impl IntoParams for SecretQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = |name: &str, place: ParameterIn, text: &str| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(place)
                .required(Required::False)
                .description(Some(text))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                .build()
        };
        vec![
            parameter("secret", ParameterIn::Query, "For buyers. Staff need none."),
            parameter("Bilten-Secret", ParameterIn::Header, "The same, where no log sees it."),
        ]
    }
}
