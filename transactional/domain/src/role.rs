//! What a person or a token may do within one organizer.

use crate::{
    Invalid,
    record::{ColumnType, Kind},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The owner may do everything, including what makes other owners; the others do what their name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Owner,
    Manager,
    Marketer,
    Analyst,
    Door,
}

/// What a request needs, asked of a role in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Members and API tokens.
    ManageAccess,
    /// Take a person's data out of everything, for good.
    ErasePeople,
    /// Who did what.
    ReadAuditLog,
    /// Addresses that are told of changes.
    ManageWebhooks,
    /// Venues, events, ticket types, check-in lists.
    ManageEvents,
    /// Orders and the people behind them.
    ReadOrders,
    /// SQL, metrics, audit, and what is kept about dashboards: reports, alert rules, saved questions.
    ReadLake,
    /// Give out links that show a dashboard to whoever has them.
    ShareDashboards,
    /// Redeem tickets.
    CheckIn,
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Owner, Role::Manager, Role::Marketer, Role::Analyst, Role::Door];

    pub fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Role::Owner => true,
            Role::Manager => !matches!(permission, P::ManageAccess | P::ManageWebhooks | P::ErasePeople),
            Role::Marketer => matches!(permission, P::ReadLake | P::ShareDashboards),
            Role::Analyst => permission == P::ReadLake,
            Role::Door => permission == P::CheckIn,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Manager => "manager",
            Role::Marketer => "marketer",
            Role::Analyst => "analyst",
            Role::Door => "door",
        }
    }
}

impl FromStr for Role {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| Invalid::new("a role is owner, manager, marketer, analyst or door"))
    }
}

impl ColumnType for Role {
    const KIND: Kind = Kind::Text;
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_only_checks_in_and_only_an_owner_makes_members_or_erases_people() {
        assert!(Role::Door.may(Permission::CheckIn) && !Role::Door.may(Permission::ReadOrders));
        for owners in [Permission::ManageAccess, Permission::ErasePeople] {
            let may: Vec<Role> = Role::ALL.into_iter().filter(|role| role.may(owners)).collect();
            assert_eq!(may, [Role::Owner]);
        }
    }

    #[test]
    fn who_reads_figures_does_not_always_give_them_out() {
        let may = |permission| {
            Role::ALL
                .into_iter()
                .filter(move |role| role.may(permission))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            may(Permission::ShareDashboards),
            [Role::Owner, Role::Manager, Role::Marketer]
        );
        assert_eq!(may(Permission::ReadLake).len(), 4);
    }
}
