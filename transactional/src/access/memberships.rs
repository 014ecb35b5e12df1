//! A user's role with an organizer.

use super::users;
use crate::{
    Cursor, Page, PageRequest, Result, Source, Stored, Tx, organizers,
    page::{self, Filter, Order},
    rows,
    sql::binds,
};
use domain::{Email, MembershipId, OrganizerId, Role, UserId, changes::Membership};

#[derive(Clone, Debug)]
pub struct Member {
    pub membership: Stored<Membership>,
    pub email: Email,
    pub name: Option<String>,
}

/// Gives the role, or another one instead of the present.
pub async fn grant(tx: &mut Tx, organizer_id: OrganizerId, user_id: UserId, role: Role) -> Result<Stored<Membership>> {
    organizers::get(tx, organizer_id).await?;
    users::get_user(tx, user_id).await?;
    let values = binds![user_id, organizer_id];
    let present = rows::find(tx, "t.user_id = $1 and t.organizer_id = $2", values).await?;
    let Some(mut membership): Option<Stored<Membership>> = present.into_iter().next() else {
        let record = Membership {
            membership_id: MembershipId::new(),
            user_id,
            role,
            active: true,
            granted_at: tx.now(),
        };
        return tx.create(organizer_id, "membership.granted", record);
    };
    if !membership.active || membership.role != role {
        (membership.active, membership.role, membership.granted_at) = (true, role, tx.now());
        tx.change("membership.granted", &mut membership)?;
    }
    Ok(membership)
}

pub async fn revoke_membership(tx: &mut Tx, id: MembershipId) -> Result<Stored<Membership>> {
    let mut membership: Stored<Membership> = rows::get(tx, &id).await?;
    if membership.active {
        membership.active = false;
        tx.change("membership.revoked", &mut membership)?;
    }
    Ok(membership)
}

/// Those that are in force.
pub async fn memberships_of(db: &mut impl Source, user_id: UserId) -> Result<Vec<Stored<Membership>>> {
    rows::find(
        db,
        "t.user_id = $1 and t.active = 1 order by t.membership_id",
        binds![user_id],
    )
    .await
}

pub async fn members(db: &mut impl Source, organizer_id: OrganizerId, page: PageRequest) -> Result<Page<Member>> {
    let filter = Filter::default()
        .and("organizer_id =", &organizer_id)
        .and("active =", &true);
    let page = page::list::<Membership>(db, filter, None, Order::Ascending, &page).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for membership in page.items {
        let user = users::get_user(db, membership.user_id).await?;
        items.push(Member {
            membership,
            email: user.email,
            name: user.name,
        });
    }
    let next: Option<Cursor> = page.next;
    Ok(Page { items, next })
}
