use super::*;
use crate::access::*;
use domain::Role;

const PASSWORD: &str = "correct horse";

impl World {
    async fn user(&self, email: &str) -> User {
        let password = hash_password(PASSWORD.into()).await.unwrap();
        let new = NewUser {
            email: email.parse().unwrap(),
            name: None,
            password,
            platform_admin: false,
        };
        self.write(|tx| Box::pin(create_user(tx, new))).await.unwrap()
    }
}

#[tokio::test]
async fn a_user_logs_in_and_out_and_the_session_tells_the_roles() {
    let world = World::with_capacity(1).await;
    let user = world.user("Ada@Example.org").await;
    let (organizer, id) = (world.organizer, user.user_id);
    let membership = world
        .write(move |tx| Box::pin(grant(tx, organizer, id, Role::Door)))
        .await
        .unwrap();
    let proof = Proof {
        email: "ADA@example.org".parse().unwrap(),
        password: PASSWORD.into(),
        code: None,
        at: Timestamp::now(),
    };
    let logged_in = log_in(&world.store, proof, Device::default()).await.unwrap();
    let holder = session(&world.store, &logged_in.token).await.unwrap().unwrap();
    assert_eq!((holder.user, holder.memberships), (user, vec![membership]));
    assert_eq!(holder.csrf_token, logged_in.csrf_token);
    let session_id = holder.session_id;
    world.write(move |tx| Box::pin(log_out(tx, session_id))).await.unwrap();
    assert!(session(&world.store, &logged_in.token).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_works_until_it_is_revoked_and_its_secret_is_nowhere() {
    let world = World::with_capacity(1).await;
    let organizer = world.organizer;
    let made = world
        .write(move |tx| Box::pin(create_token(tx, organizer, "CI".parse().unwrap(), Role::Analyst)))
        .await
        .unwrap();
    let holder = token_holder(&world.store, &made.secret).await.unwrap().unwrap();
    assert_eq!(holder.organizer, Some((organizer, Role::Analyst)));
    assert!(token_holder(&world.store, "bilten_x").await.unwrap().is_none());
    assert!(
        world
            .changes()
            .await
            .iter()
            .all(|change| !change.payload.contains(&made.secret[7..]))
    );
    let id = made.token.api_token_id;
    world.write(move |tx| Box::pin(revoke_token(tx, id))).await.unwrap();
    assert!(token_holder(&world.store, &made.secret).await.unwrap().is_none());
    let platform = world
        .write(|tx| Box::pin(create_platform_token(tx, "here".parse().unwrap())))
        .await
        .unwrap();
    assert_eq!(
        token_holder(&world.store, &platform).await.unwrap().unwrap().organizer,
        None
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn a_role_that_is_granted_again_is_the_same_membership() {
    let world = World::with_capacity(1).await;
    let (organizer, id) = (world.organizer, world.user("ada@example.org").await.user_id);
    let first = world
        .write(move |tx| Box::pin(grant(tx, organizer, id, Role::Door)))
        .await
        .unwrap();
    let second = world
        .write(move |tx| Box::pin(grant(tx, organizer, id, Role::Owner)))
        .await
        .unwrap();
    assert_eq!(first.membership_id, second.membership_id);
    let membership_id = first.membership_id;
    world
        .write(move |tx| Box::pin(revoke_membership(tx, membership_id)))
        .await
        .unwrap();
    let mut db = world.store.read().await.unwrap();
    assert!(
        members(&mut db, organizer, Default::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn a_slug_belongs_to_one_organizer() {
    let world = World::with_capacity(1).await;
    let taken = world
        .write(|tx| Box::pin(organizers::create(tx, organizer_details("club"))))
        .await;
    assert_eq!(code(taken), "slug_taken");
    world.assert_sound().await;
}
