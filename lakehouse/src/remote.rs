//! Where a lake is: the address of its folder, and how to talk to whoever stores it.

use crate::error::{Error, Result};
use deltalake::DeltaTableBuilder;
use std::collections::HashMap;
use url::Url;

/// An object store answers in milliseconds, or not at all. What fails longer than this is left to the caller, who keeps
/// the rows and tries again: waiting here would only hide that nothing moves.
const REQUESTS: [(&str, &str); 5] = [
    ("timeout", "20 seconds"),
    ("connect_timeout", "3 seconds"),
    ("max_retries", "4"),
    ("retry_timeout", "10 seconds"),
    ("backoff_config.max_backoff", "1 second"),
];

/// What an address may say of its store. Keys belong into the environment: addresses end in logs.
const SETTINGS: [&str; 3] = ["endpoint", "region", "virtual_hosted_style_request"];

#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) url: Url,
    options: HashMap<String, String>,
}

impl Remote {
    /// `file://FOLDER`, or `s3://BUCKET/PREFIX` with settings of the store as query parameters: `?endpoint=…&region=…`.
    /// Credentials come from the environment (`AWS_…`), from a profile, or from the machine's role: the first that has any.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let mut parsed = Url::parse(url).map_err(|error| Error::Unsupported(format!("the lake's address: {error}")))?;
        let mut options = HashMap::new();
        match parsed.scheme() {
            "file" => {}
            "s3" => {
                deltalake::aws::register_handlers(None);
                options.extend(REQUESTS.map(|(name, value)| (name.to_owned(), value.to_owned())));
                for (name, value) in parsed.query_pairs() {
                    if !SETTINGS.contains(&&*name) {
                        return Err(Error::Unsupported(format!(
                            "{name} is no setting of a lake's address ({} are); keys come from AWS_ACCESS_KEY_ID and \
                             AWS_SECRET_ACCESS_KEY, or from a profile",
                            SETTINGS.join(", ")
                        )));
                    }
                    options.insert(format!("aws_{name}"), value.into_owned());
                }
                // With an endpoint delta-rs asks no profile, unless it is told to look for credentials wherever they may be.
                if std::env::var_os("AWS_ACCESS_KEY_ID").is_none() {
                    options.insert("AWS_FORCE_CREDENTIAL_LOAD".to_owned(), "true".to_owned());
                }
                let endpoint = options.get("aws_endpoint").cloned();
                let endpoint = endpoint.or_else(|| std::env::var("AWS_ENDPOINT_URL").ok());
                if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
                    options.insert("aws_allow_http".to_owned(), "true".to_owned());
                }
            }
            scheme => {
                return Err(Error::Unsupported(format!(
                    "{scheme}:// is no place for a lake: use file:// or s3://"
                )));
            }
        }
        parsed.set_query(None);
        Ok(Self { url: parsed, options })
    }

    pub(crate) fn is_local(&self) -> bool {
        self.url.scheme() == "file"
    }

    pub(crate) fn table(&self, url: &Url) -> Result<DeltaTableBuilder> {
        let builder = DeltaTableBuilder::from_url(url.clone())?;
        Ok(builder.with_storage_options(self.options.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_carry_settings_of_the_store_and_shows_none_of_them() {
        let lake = Remote::parse("s3://tickets/lake?endpoint=http://127.0.0.1:9000&region=eu-west-1").unwrap();
        assert_eq!(lake.url.as_str(), "s3://tickets/lake");
        assert_eq!(lake.options["aws_endpoint"], "http://127.0.0.1:9000");
        assert_eq!(lake.options["aws_region"], "eu-west-1");
        assert_eq!(lake.options["aws_allow_http"], "true");
        assert!(Remote::parse("file:///tmp/lake").unwrap().is_local());
        for wrong in [
            "ftp://x/lake",
            "lake",
            "",
            "s3://x/lake?secret_access_key=k",
            "s3://x/lake?endpont=y",
        ] {
            assert!(matches!(Remote::parse(wrong), Err(Error::Unsupported(_))), "{wrong}");
        }
    }
}
