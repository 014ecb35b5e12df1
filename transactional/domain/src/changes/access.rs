use super::entity;
use crate::{ApiTokenId, Label, MembershipId, Role, Timestamp, UserId, record::record};

record! {
    /// A user's role with an organizer. The user's name and address stay in the core.
    Membership {
        membership_id: MembershipId,
        user_id: UserId,
        role: Role,
        active: bool,
        granted_at: Timestamp,
    }
    /// A token for programs. Its secret is nowhere but with its holder; the core keeps a hash.
    ApiToken {
        api_token_id: ApiTokenId,
        name: Label,
        role: Role,
        created_at: Timestamp,
        revoked_at: Option<Timestamp>,
    }
}

entity!(Membership, "membership", "memberships", key: membership_id, money: None, personal: &[],
    changes: ["granted", "revoked"]);
entity!(ApiToken, "api_token", "api_tokens", key: api_token_id, money: None, personal: &[],
    changes: ["created", "revoked"]);
