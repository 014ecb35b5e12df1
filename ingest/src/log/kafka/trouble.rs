//! What Kafka's clients report, in words, and whether waiting may help.

use crate::LogError;
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use std::sync::{Arc, Mutex, PoisonError};

/// The newest report of a connection's state, shared by all clients of a log: what a call that ran out of time says.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<(Code, String)>>>);

impl Trouble {
    fn note(&self, code: Code, reason: &str) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = newest.replace((code, reason.to_owned()));
        drop(newest);
        if known.is_none_or(|(known, _)| known != code) {
            tracing::warn!(reason, "trouble with Kafka");
        }
    }

    /// Something worked.
    pub(super) fn over(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn newest(&self) -> Option<(Code, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why connecting can't work however long one waits.
    pub(super) fn hopeless(&self) -> Option<LogError> {
        let (code, reason) = self.newest()?;
        is_refusal(code).then_some(LogError::Refused { reason })
    }

    pub(super) fn out_of_time(&self, what: &str) -> LogError {
        let because = self.newest().map(|(_, reason)| format!(": {reason}"));
        LogError::Unreachable {
            reason: format!("{what} took too long{}", because.unwrap_or_default()),
        }
    }

    pub(super) fn explain(&self, what: &str, error: &KafkaError) -> LogError {
        match error.rdkafka_error_code() {
            Some(code) => self.explain_code(what, code),
            None => client(error),
        }
    }

    pub(super) fn explain_code(&self, what: &str, code: Code) -> LogError {
        if is_refusal(code) {
            return LogError::Refused {
                reason: format!("{what}: {code}"),
            };
        }
        match code {
            Code::OperationTimedOut | Code::MessageTimedOut | Code::AllBrokersDown | Code::BrokerTransportFailure => {
                self.out_of_time(what)
            }
            _ => LogError::Unreachable {
                reason: format!("{what}: {code}"),
            },
        }
    }
}

/// A client could not be made: its settings don't go together, or this build lacks what they ask for.
pub(super) fn client(error: &KafkaError) -> LogError {
    let reason = match error {
        KafkaError::ClientCreation(reason) => reason.clone(),
        // Its description may repeat a password.
        KafkaError::ClientConfig(_, _, name, _) => format!("the value of {name} is refused"),
        error => error.to_string(),
    };
    LogError::Client { reason }
}

/// Kafka understood, and says no: someone has to change a setting or a permission.
fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::SSL
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::UnsupportedVersion
            | Code::MessageSizeTooLarge
            | Code::InvalidRecord
            | Code::InvalidTopic
            | Code::InvalidPartitions
            | Code::InvalidReplicationFactor
            | Code::InvalidReplicaAssignment
            | Code::InvalidConfig
            | Code::PolicyViolation
    )
}

impl ClientContext for Trouble {
    /// What matters of it comes as an error too; the rest repeats itself with every attempt to connect.
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
        // "All brokers are down" says less than the failed connection before it.
        if code != Code::AllBrokersDown || self.newest().is_none() {
            self.note(code, reason);
        }
    }
}

impl ConsumerContext for Trouble {}
