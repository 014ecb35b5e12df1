//! What a process of an installation does. One does everything on a laptop; elsewhere each role can have processes of
//! its own, as many as are needed.

use std::{collections::BTreeSet, fmt, str::FromStr};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProcessRole {
    /// Takes commands and interactions over HTTP.
    Api,
    /// Moves changes from the core's outbox to the log. One process at a time does, whichever holds the lease.
    Relay,
    /// Commits rows of the log to the lake. Several share the log's partitions.
    Sink,
    /// Answers SQL and metrics, from the lake and the log's newest records.
    Query,
    /// Ends what time has ended and keeps the lake in order. One process at a time does, whichever holds the lease.
    Worker,
}

const ROLES: [(ProcessRole, &str); 5] = [
    (ProcessRole::Api, "api"),
    (ProcessRole::Relay, "relay"),
    (ProcessRole::Sink, "sink"),
    (ProcessRole::Query, "query"),
    (ProcessRole::Worker, "worker"),
];

/// At least one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRoles(BTreeSet<ProcessRole>);

impl ProcessRoles {
    pub fn all() -> Self {
        Self(ROLES.map(|(role, _)| role).into())
    }

    pub fn of(roles: impl IntoIterator<Item = ProcessRole>) -> Self {
        Self(roles.into_iter().collect())
    }

    pub fn has(&self, role: ProcessRole) -> bool {
        self.0.contains(&role)
    }

    pub fn has_any(&self, roles: &[ProcessRole]) -> bool {
        roles.iter().any(|role| self.has(*role))
    }
}

impl FromStr for ProcessRoles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "all" {
            return Ok(Self::all());
        }
        let role = |name: &str| {
            let known = ROLES.iter().find(|(_, known)| *known == name.trim());
            known.map(|(role, _)| *role).ok_or_else(|| {
                format!("there is no role {name:?}: choose of api, relay, sink, query and worker, with commas, or all")
            })
        };
        text.split(',').map(role).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for ProcessRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ROLES.iter().find(|(role, _)| role == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl fmt::Display for ProcessRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("all");
        }
        let names: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_are_written() {
        for (text, written) in [
            ("all", "all"),
            ("sink, api", "api,sink"),
            ("worker,query,sink,relay,api", "all"),
        ] {
            assert_eq!(text.parse::<ProcessRoles>().unwrap().to_string(), written);
        }
        for wrong in ["", "apis", "api,,sink", "all,api"] {
            assert!(wrong.parse::<ProcessRoles>().is_err(), "{wrong}");
        }
    }
}
