//! Who may do what: users with passwords and sessions, their roles with organizers, and tokens for programs.

mod memberships;
mod sessions;
mod tokens;
mod users;

pub use memberships::{Member, grant, members, memberships_of, revoke_membership};
pub use sessions::{Session, SessionHolder, log_in, log_out, session};
pub use tokens::{
    NewToken, TokenHolder, create_platform_token, create_token, get_token, revoke_token, token_holder, tokens,
};
pub use users::{NewUser, PasswordHash, User, create_user, get_user, hash_password, set_password, user_by_email};
