//! What users, sessions, keys and attempts do, in both databases.

use std::os::unix::fs::PermissionsExt;

use glovebox_catalog::{
    Attempts, Catalog, Error, KEY_PREFIX, Lockout, Name, NewKey, Place, Roles, Rotation,
};

use crate::databases::{NOW, ada, both, hash, opened, postgres};

#[tokio::test]
async fn a_user_is_added_once_and_found_with_roles() {
    for catalog in both("catalog_users").await.catalogs {
        catalog.ready().await.unwrap();
        let user = ada(&catalog).await;
        let name = Name::parse("ADA").unwrap();
        let again = catalog
            .add_user(&name, &user.roles, &hash("another password").await, NOW)
            .await;
        assert!(matches!(again, Err(Error::Taken)));
        assert_eq!(catalog.user(&name).await.unwrap().unwrap(), user);
        assert_eq!(
            catalog.users("", 10).await.unwrap(),
            std::slice::from_ref(&user)
        );
        assert_eq!(catalog.users("ada", 10).await.unwrap(), []);
        let analyst = Roles::parse(["analyst"]).unwrap();
        assert!(catalog.set_roles(&name, &analyst).await.unwrap());
        assert!(catalog.set_disabled(&name, true, NOW).await.unwrap());
        let changed = catalog.user_by_id(&user.id).await.unwrap().unwrap();
        assert!(changed.disabled && changed.roles == analyst);
        let nobody = Name::parse("nobody").unwrap();
        assert!(!catalog.set_disabled(&nobody, true, NOW).await.unwrap());
        assert_eq!(catalog.user(&nobody).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_session_stands_until_it_is_closed_over_or_its_user_disabled() {
    for catalog in both("catalog_sessions").await.catalogs {
        let _ = ada(&catalog).await;
        let name = Name::parse("ada").unwrap();
        let live = async |id: &str, now| catalog.standing(id, now).await.unwrap().unwrap().live;
        let one = opened(&catalog).await;
        let two = opened(&catalog).await;
        assert!(live(&one.id, NOW + 99).await);
        assert!(!live(&one.id, NOW + 100).await);
        catalog.close_session(&one.id, NOW).await.unwrap();
        assert!(!live(&one.id, NOW).await);
        assert!(live(&two.id, NOW).await);
        catalog.set_disabled(&name, true, NOW).await.unwrap();
        assert!(!live(&two.id, NOW).await);
        catalog.set_disabled(&name, false, NOW).await.unwrap();
        let password = hash("a new long password").await;
        assert!(catalog.set_password(&name, &password, NOW).await.unwrap());
        assert!(!live(&two.id, NOW).await);
        assert_eq!(catalog.standing("ses_none", NOW).await.unwrap(), None);
        assert_eq!(catalog.forget_sessions(NOW + 101).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_used_refresh_token_closes_its_session() {
    for catalog in both("catalog_refresh").await.catalogs {
        let user = ada(&catalog).await;
        let first = opened(&catalog).await;
        let rotated = catalog.rotate(first.refresh.expose(), NOW).await.unwrap();
        let Rotation::Fresh(second, owner) = rotated else {
            panic!("{rotated:?}");
        };
        assert_eq!(
            (second.id.as_str(), *owner),
            (first.id.as_str(), user.clone())
        );
        let reused = catalog.rotate(first.refresh.expose(), NOW).await.unwrap();
        assert!(matches!(reused, Rotation::Reused(u) if *u == user));
        let after = catalog.rotate(second.refresh.expose(), NOW).await.unwrap();
        assert!(matches!(after, Rotation::Refused));
        assert!(
            !catalog
                .standing(&first.id, NOW)
                .await
                .unwrap()
                .unwrap()
                .live
        );
        let late = opened(&catalog).await;
        for (token, now) in [(late.refresh.expose(), NOW + 100), ("gbr_unknown", NOW)] {
            let refused = catalog.rotate(token, now).await.unwrap();
            assert!(matches!(refused, Rotation::Refused));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_uses_of_one_refresh_token_exactly_one_wins() {
    for catalog in both("catalog_race").await.catalogs {
        let _ = ada(&catalog).await;
        let session = opened(&catalog).await;
        let calls: Vec<_> = (0..100)
            .map(|_| {
                let catalog = catalog.clone();
                let token = session.refresh.expose().to_owned();
                tokio::spawn(async move { catalog.rotate(&token, NOW).await.unwrap() })
            })
            .collect();
        let mut fresh = 0;
        for call in calls {
            // The winner may find its session closed already by a loser.
            fresh += usize::from(!matches!(call.await.unwrap(), Rotation::Reused(_)));
        }
        assert_eq!(fresh, 1);
        assert!(
            !catalog
                .standing(&session.id, NOW)
                .await
                .unwrap()
                .unwrap()
                .live
        );
    }
}

#[tokio::test]
async fn a_key_works_within_its_users_roles_until_it_expires_or_is_revoked() {
    for catalog in both("catalog_keys").await.catalogs {
        let user = ada(&catalog).await;
        let roles = Roles::parse(["analyst", "auditor"]).unwrap();
        let new = NewKey {
            user_id: &user.id,
            label: "nightly",
            roles: &roles,
            expires: NOW + 50,
            session: None,
        };
        let (key, token) = catalog.add_key(new, NOW).await.unwrap();
        assert!(token.expose().starts_with(KEY_PREFIX));
        let holder = async |now| catalog.key_holder(token.expose(), now).await.unwrap();
        let found = holder(NOW).await.unwrap();
        // `auditor` is not its user's, `admin` not its own.
        assert_eq!(found.user.roles.to_string(), "analyst");
        assert_eq!(
            (found.key, found.user.id),
            (key.id.clone(), user.id.clone())
        );
        assert!(holder(NOW + 50).await.is_none());
        assert!(catalog.key_holder("gbk_x", NOW).await.unwrap().is_none());
        assert!(!catalog.revoke_key("usr_other", &key.id, NOW).await.unwrap());
        assert!(catalog.revoke_key(&user.id, &key.id, NOW).await.unwrap());
        assert!(!catalog.revoke_key(&user.id, &key.id, NOW).await.unwrap());
        assert!(holder(NOW).await.is_none());
        assert_eq!(
            catalog.keys_of(&user.id).await.unwrap()[0].revoked,
            Some(NOW)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_failures_lock_the_pair_and_each_further_one_doubles_it() {
    let lockout = Lockout::default();
    for catalog in both("catalog_attempts").await.catalogs {
        let here = Attempts::of("Ada", "192.0.2.1");
        // Guesses at once get no further than guesses one by one.
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let (catalog, here) = (catalog.clone(), here.clone());
                tokio::spawn(async move { catalog.attempt(&here, &lockout, NOW).await.unwrap() })
            })
            .collect();
        let mut allowed = 0;
        for call in calls {
            allowed += usize::from(call.await.unwrap().is_ok());
        }
        assert_eq!(allowed, 5);
        let attempt =
            async |pair: &Attempts, now| catalog.attempt(pair, &lockout, now).await.unwrap();
        assert_eq!(attempt(&here, NOW + 10).await, Err(20));
        assert_eq!(
            attempt(&Attempts::of("ada", "192.0.2.2"), NOW).await,
            Ok(())
        );
        assert_eq!(attempt(&here, NOW + 30).await, Ok(()));
        assert_eq!(attempt(&here, NOW + 31).await, Err(59));
        let mut now = NOW + 30;
        for waited in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
            now += waited;
            assert!(attempt(&here, now - 1).await.is_err(), "{waited}");
            assert_eq!(attempt(&here, now).await, Ok(()), "{waited}");
        }
        catalog.attempt_succeeded(&here).await.unwrap();
        assert_eq!(attempt(&here, now).await, Ok(()));
        assert_eq!(catalog.forget_attempts(now).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn it_opens_again_with_what_it_holds_and_the_file_is_its_owners() {
    let both = both("catalog_again").await;
    let path = both.folder.path().join("catalog.db");
    for catalog in &both.catalogs {
        ada(catalog).await;
        catalog.close().await;
    }
    let sqlite = Catalog::open(&Place::Sqlite(path.clone())).await.unwrap();
    assert_eq!(sqlite.users("", 5).await.unwrap().len(), 1);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
}

#[tokio::test]
async fn a_place_that_cannot_be_opened_says_which_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Place::Sqlite(folder.path().join("none/catalog.db"));
    let told = Catalog::open(&nowhere).await.unwrap_err().to_string();
    assert!(told.contains("none/catalog.db cannot be used"), "{told}");
    let file = folder.path().join("text.db");
    std::fs::write(
        &file,
        "this is no database, but text of some length\n".repeat(90),
    )
    .unwrap();
    assert!(Catalog::open(&Place::Sqlite(file)).await.is_err());
    let Place::Postgres {
        connect: options,
        shown,
        ..
    } = postgres("catalog_refused")
    else {
        unreachable!();
    };
    let wrong = Place::Postgres {
        connect: Box::new(options.password("wrong-canary")),
        shown,
        connections: 1,
    };
    let told = Catalog::open(&wrong).await.unwrap_err().to_string();
    assert!(!told.contains("canary"), "{told}");
}

#[tokio::test]
async fn a_reset_or_a_lock_ends_all_that_was_given_out_before_and_nothing_after() {
    for catalog in both("catalog_generations").await.catalogs {
        let user = ada(&catalog).await;
        let name = Name::parse("ada").unwrap();
        let before = catalog.credentials(&name).await.unwrap().unwrap();
        let session = opened(&catalog).await;
        let key = async |label: &str, session: Option<&str>| {
            let new = NewKey {
                user_id: &user.id,
                label,
                roles: &user.roles,
                expires: NOW + 100,
                session,
            };
            catalog.add_key(new, NOW).await.unwrap().1
        };
        let works = async |token: &str| catalog.key_holder(token, NOW).await.unwrap().is_some();
        let live = async |id: &str| catalog.standing(id, NOW).await.unwrap().unwrap().live;
        let early = key("early", Some(&session.id)).await;
        assert!(works(early.expose()).await && live(&session.id).await);
        let password = hash("a new long password").await;
        catalog
            .set_password(&name, &password, NOW + 1)
            .await
            .unwrap();
        assert!(!works(early.expose()).await && !live(&session.id).await);
        let refused = catalog.rotate(session.refresh.expose(), NOW).await.unwrap();
        assert!(matches!(refused, Rotation::Refused));
        // Whoever was on the way while the password was changed comes too late.
        let late = catalog.open_session(&before, NOW, NOW + 100).await.unwrap();
        assert!(late.is_none());
        let late = key("late", Some(&session.id)).await;
        assert!(!works(late.expose()).await);
        let listed = catalog.keys_of(&user.id).await.unwrap();
        assert!(
            listed.iter().all(|k| k.revoked == Some(NOW + 1)),
            "{listed:?}"
        );
        // What is made after it works.
        let session = opened(&catalog).await;
        let new = key("new", Some(&session.id)).await;
        assert!(works(new.expose()).await && live(&session.id).await);
        catalog.set_disabled(&name, true, NOW + 2).await.unwrap();
        catalog.set_disabled(&name, false, NOW + 3).await.unwrap();
        assert!(!works(new.expose()).await && !live(&session.id).await);
        let last = key("last", None).await;
        assert_eq!(catalog.revoke_keys_of(&user.id, NOW).await.unwrap(), 1);
        assert!(!works(last.expose()).await);
        let roles = catalog.roles_in_use().await.unwrap();
        assert_eq!(roles, std::slice::from_ref(&user.roles));
    }
}
