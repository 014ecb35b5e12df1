//! Who may do what: users with passwords, second factors and sessions, their roles with organizers, and tokens for
//! programs.

pub(crate) mod lockout;
mod memberships;
pub(crate) mod proofs;
mod sessions;
mod tokens;
mod two_factor;
mod users;

pub use memberships::{Member, grant, members, memberships_of, revoke_membership};
pub use proofs::{ask_for_password_reset, ask_for_verification, reset_password, verify_email};
pub use sessions::{
    Device, OpenSession, Proof, Session, SessionHolder, end_other_sessions, end_session, log_in, log_out,
    open_sessions, prove, session,
};
pub use tokens::{
    NewToken, TokenHolder, create_platform_token, create_token, get_token, revoke_token, token_holder, tokens,
};
pub use two_factor::{Enrolment, confirm, enrol, new_recovery_codes, turn_off};
pub use users::{NewUser, PasswordHash, User, create_user, get_user, hash_password, set_password, user_by_email};
