//! What becomes of runs, in both databases.

use glovebox_catalog::{
    ANY_MACHINE, Added, Beat, Catalog, Claimed, NewRun, Run, RunFilter, RunMode, RunState, Waiting,
    new_run_id,
};

use crate::databases::{NOW, both};

fn new<'a>(pipeline: &'a str, request: Option<&'a str>) -> NewRun<'a> {
    NewRun {
        // A test's handful of names may stay until its end.
        id: new_run_id().unwrap().leak(),
        pipeline,
        user_id: "usr_1",
        user_name: "ada",
        request,
        mode: RunMode::Fresh,
        upload: None,
        of: None,
        at_most: 100,
    }
}

async fn add(catalog: &Catalog, new: &NewRun<'_>) -> Run {
    match catalog.add_run(new, NOW).await.unwrap() {
        Added::New(run) => run,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_with_a_key_starts_one_run() {
    for catalog in both("runs_key").await.catalogs {
        let run = add(&catalog, &new("sales", Some("k1"))).await;
        assert_eq!((run.state, run.starts), (RunState::Queued, 0));
        let again = catalog
            .add_run(&new("sales", Some("k1")), NOW + 9)
            .await
            .unwrap();
        assert_eq!(again, Added::Same(run.clone()));
        let other = NewRun {
            mode: RunMode::Again,
            ..new("sales", Some("k1"))
        };
        assert_eq!(catalog.add_run(&other, NOW).await.unwrap(), Added::Other);
        let rerun = NewRun {
            of: Some(&run.id),
            ..new("sales", Some("k1"))
        };
        assert_eq!(catalog.add_run(&rerun, NOW).await.unwrap(), Added::Other);
        let keyless = NewRun {
            request: None,
            ..rerun
        };
        let of = add(&catalog, &keyless).await.of;
        assert_eq!((of, &run.of), (Some(run.id.clone()), &None));
        let theirs = NewRun {
            user_id: "usr_2",
            ..new("sales", Some("k1"))
        };
        assert_ne!(add(&catalog, &theirs).await.id, run.id);
        // Without a key each request is one of its own.
        let (one, two) = (
            add(&catalog, &new("x", None)).await,
            add(&catalog, &new("x", None)).await,
        );
        assert_ne!(one.id, two.id);
    }
}

#[tokio::test]
async fn runs_of_one_second_are_taken_in_their_order() {
    for catalog in both("runs_second").await.catalogs {
        let mut queued = Vec::new();
        for number in 0..20 {
            let pipeline: &str = format!("p{number}").leak();
            queued.push(add(&catalog, &new(pipeline, None)).await.id);
        }
        let mut taken = Vec::new();
        while let Some(claimed) = catalog.claim_run("s1", "m1", NOW, NOW - 20).await.unwrap() {
            taken.push(claimed.run.id);
        }
        assert_eq!(taken, queued);
    }
}

#[tokio::test]
async fn of_many_requests_with_one_key_at_once_one_starts_a_run() {
    for catalog in both("runs_keys").await.catalogs {
        let asked: Vec<_> = (0..20)
            .map(|_| {
                let catalog = catalog.clone();
                tokio::spawn(async move { catalog.add_run(&new("sales", Some("k")), NOW).await })
            })
            .collect();
        let mut fresh = 0;
        for one in asked {
            fresh += u32::from(matches!(one.await.unwrap().unwrap(), Added::New(_)));
        }
        assert_eq!(fresh, 1);
    }
}

#[tokio::test]
async fn a_pipeline_has_one_run_at_a_time_in_the_order_of_asking() {
    for catalog in both("runs_order").await.catalogs {
        let first = add(&catalog, &new("sales", None)).await;
        let second = match catalog.add_run(&new("sales", None), NOW + 1).await.unwrap() {
            Added::New(run) => run,
            other => panic!("{other:?}"),
        };
        let other = match catalog.add_run(&new("other", None), NOW + 2).await.unwrap() {
            Added::New(run) => run,
            other => panic!("{other:?}"),
        };
        let claim = async || {
            let run = catalog.claim_run("s1", "m1", NOW, NOW - 20).await.unwrap();
            run.map(|claimed| claimed.run.id)
        };
        assert_eq!(claim().await, Some(first.id.clone()));
        assert_eq!(claim().await, Some(other.id.clone()));
        assert_eq!(claim().await, None);
        let ended = catalog
            .finish_run(&first.id, "s1", RunState::Done, (Some("{}"), None), NOW + 5)
            .await
            .unwrap();
        assert!(ended);
        assert_eq!(
            catalog.report(&first.id).await.unwrap().as_deref(),
            Some("{}")
        );
        assert_eq!(claim().await, Some(second.id.clone()));

        let listed = async |filter: RunFilter<'_>| {
            let runs = catalog.runs(&filter, 2).await.unwrap();
            runs.into_iter().map(|r| r.id).collect::<Vec<_>>()
        };
        let pipelines = ["sales", "other"];
        let all = RunFilter {
            pipelines: &pipelines,
            ..RunFilter::default()
        };
        assert_eq!(listed(all.clone()).await, [other.id, second.id.clone()]);
        let rest = RunFilter {
            before: Some(&second.id),
            ..all.clone()
        };
        assert_eq!(listed(rest).await, std::slice::from_ref(&first.id));
        let done = RunFilter {
            state: Some(RunState::Done),
            ..all
        };
        assert_eq!(listed(done).await, std::slice::from_ref(&first.id));
        assert!(listed(RunFilter::default()).await.is_empty());
        assert_eq!(catalog.forget_runs(NOW + 6).await.unwrap(), [first.id]);
    }
}

#[tokio::test]
async fn a_run_whose_server_fell_silent_goes_to_another_one() {
    for catalog in both("runs_silence").await.catalogs {
        let run = add(&catalog, &new("sales", None)).await;
        let claim = async |holder: &str, now: i64| {
            catalog
                .claim_run(holder, "m1", now, now - 20)
                .await
                .unwrap()
        };
        let beat = async |holder: &str, now: i64| {
            catalog
                .beat(&run.id, holder, (7, 70, Some(700)), now)
                .await
                .unwrap()
        };
        assert!(!claim("s1", NOW).await.unwrap().begun);
        assert_eq!(beat("s1", NOW + 15).await, Beat::On);
        assert_eq!(claim("s2", NOW + 30).await, None);
        let Claimed { run: taken, begun } = claim("s2", NOW + 36).await.unwrap();
        assert!(begun);
        assert_eq!(
            (taken.starts, taken.rows, taken.bytes_all),
            (2, 7, Some(700))
        );
        // The first one wakes up.
        assert_eq!(beat("s1", NOW + 37).await, Beat::Lost);
        let late = catalog
            .finish_run(&run.id, "s1", RunState::Failed, (None, Some("x")), NOW + 38)
            .await
            .unwrap();
        assert!(!late);
        // The second one is told to stop, and lets it go without it counting as a start.
        catalog.release_run(&run.id, "s2").await.unwrap();
        let again = claim("s3", NOW + 38).await.unwrap();
        assert_eq!((again.run.starts, again.begun), (2, true));
    }
}

#[tokio::test]
async fn a_run_that_waits_is_cancelled_at_once_and_one_that_runs_is_told() {
    for catalog in both("runs_cancel").await.catalogs {
        let waits = add(&catalog, &new("sales", None)).await;
        let cancelled = catalog.cancel_run(&waits.id, NOW).await.unwrap().unwrap();
        assert_eq!(cancelled.state, RunState::Cancelled);
        let runs = add(&catalog, &new("sales", None)).await;
        catalog
            .claim_run("s1", "m1", NOW, NOW - 20)
            .await
            .unwrap()
            .unwrap();
        let told = catalog.cancel_run(&runs.id, NOW).await.unwrap().unwrap();
        assert_eq!((told.state, told.cancelled), (RunState::Running, true));
        let beat = catalog
            .beat(&runs.id, "s1", (0, 0, None), NOW)
            .await
            .unwrap();
        assert_eq!(beat, Beat::Cancel);
        assert_eq!(catalog.cancel_run("run_none", NOW).await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_upload_goes_to_the_machine_that_has_its_file() {
    for catalog in both("runs_upload").await.catalogs {
        let upload = NewRun {
            upload: Some(("m2", "hash")),
            ..new("sales", None)
        };
        let run = add(&catalog, &upload).await;
        assert!(run.upload);
        assert_eq!(catalog.claim_run("s1", "m1", NOW, 0).await.unwrap(), None);
        assert!(
            catalog
                .claim_run("s2", "m2", NOW, 0)
                .await
                .unwrap()
                .is_some()
        );
    }
}

#[tokio::test]
async fn an_upload_whose_server_fell_silent_waits_for_its_machine_and_nobody_waits_for_it() {
    for catalog in both("runs_upload_silence").await.catalogs {
        let upload = NewRun {
            upload: Some(("m1", "hash")),
            ..new("sales", None)
        };
        let first = add(&catalog, &upload).await;
        let claim = async |holder: &str, machine: &str, now: i64| {
            catalog
                .claim_run(holder, machine, now, now - 20)
                .await
                .unwrap()
        };
        assert!(claim("s1", "m1", NOW).await.is_some());
        let next = add(&catalog, &new("sales", None)).await;
        assert_eq!(claim("s2", "m2", NOW + 10).await, None);
        let taken = claim("s2", "m2", NOW + 30).await.unwrap();
        assert_eq!((taken.run.id, taken.begun), (next.id.clone(), false));
        let beat = catalog.beat(&first.id, "s1", (0, 0, None), NOW + 31);
        assert_eq!(beat.await.unwrap(), Beat::Lost);
        let done = (Some("{}"), None);
        let over = catalog.finish_run(&next.id, "s2", RunState::Done, done, NOW + 32);
        assert!(over.await.unwrap());
        let back = claim("s1", "m1", NOW + 40).await.unwrap();
        assert_eq!((back.run.id, back.begun), (first.id.clone(), true));

        // Somebody wanted its end before its server died.
        let told = catalog.cancel_run(&first.id, NOW + 41).await.unwrap();
        assert_eq!(told.unwrap().state, RunState::Running);
        assert_eq!(claim("s2", "m2", NOW + 70).await, None);
        let ended = catalog.run(&first.id).await.unwrap().unwrap();
        assert_eq!(
            (ended.state, ended.ended),
            (RunState::Cancelled, Some(NOW + 70))
        );

        // A file that all machines have is anyone's.
        let shared = NewRun {
            upload: Some((ANY_MACHINE, "hash")),
            ..new("sales", None)
        };
        let shared = add(&catalog, &shared).await;
        let taken = claim("s2", "m2", NOW + 80).await.unwrap();
        assert_eq!(taken.run.id, shared.id);
        let over = claim("s3", "m3", NOW + 110).await.unwrap();
        assert_eq!((over.run.id, over.begun), (shared.id, true));
    }
}

#[tokio::test]
async fn only_so_many_runs_of_a_pipeline_wait() {
    for catalog in both("runs_waiting").await.catalogs {
        let two = |pipeline, request| NewRun {
            at_most: 2,
            ..new(pipeline, request)
        };
        let first = add(&catalog, &two("sales", Some("k1"))).await;
        assert!(matches!(
            catalog.add_run(&two("sales", None), NOW + 5).await.unwrap(),
            Added::New(_)
        ));
        for request in [None, Some("k2")] {
            let refused = catalog.add_run(&two("sales", request), NOW).await.unwrap();
            assert_eq!(refused, Added::Full);
        }
        // What was asked for before is there, and another pipeline has a queue of its own.
        let again = catalog.add_run(&two("sales", Some("k1")), NOW).await;
        assert_eq!(again.unwrap(), Added::Same(first.clone()));
        add(&catalog, &two("other", None)).await;
        let waiting = |pipeline: &str, runs, oldest| Waiting {
            pipeline: pipeline.into(),
            runs,
            oldest,
        };
        assert_eq!(
            catalog.waiting().await.unwrap(),
            [waiting("other", 1, NOW), waiting("sales", 2, NOW)]
        );
        let taken = catalog.claim_run("s1", "m1", NOW, NOW - 20).await.unwrap();
        assert_eq!(taken.unwrap().run.id, first.id);
        let third = add(&catalog, &two("sales", Some("k2"))).await;
        let waits = catalog.waiting().await.unwrap();
        assert_eq!(
            waits.last(),
            Some(&Waiting {
                runs: 2,
                ..waiting("sales", 0, NOW)
            })
        );
        let last = catalog.last_run_by("sales", "usr_1").await.unwrap();
        // The other one was asked for later, by its time.
        assert_ne!(last.unwrap().id, third.id);
        assert_eq!(catalog.last_run_by("sales", "usr_2").await.unwrap(), None);
    }
}

#[tokio::test]
async fn rejects_are_needed_by_a_run_over_them_until_one_is_done() {
    for catalog in both("runs_needed").await.catalogs {
        // Each second another one.
        let now = std::cell::Cell::new(NOW);
        let end = async |of: Option<&str>, state: Option<RunState>| {
            now.set(now.get() + 1);
            let asked = NewRun {
                of,
                ..new("sales", None)
            };
            let Added::New(run) = catalog.add_run(&asked, now.get()).await.unwrap() else {
                panic!("it is new");
            };
            let claimed = catalog
                .claim_run("s1", "m1", now.get(), now.get() - 20)
                .await;
            assert_eq!(claimed.unwrap().unwrap().run.id, run.id);
            if let Some(state) = state {
                let over = catalog.finish_run(&run.id, "s1", state, (None, None), now.get());
                assert!(over.await.unwrap());
            }
            run.id
        };
        let first = end(None, Some(RunState::Done)).await;
        let second = end(None, Some(RunState::Failed)).await;
        let needed = async || {
            let ended = catalog.ended_runs().await.unwrap();
            ended
                .into_iter()
                .map(|(_, needed)| needed)
                .collect::<Vec<_>>()
        };
        let ended = catalog.ended_runs().await.unwrap();
        assert_eq!(ended, [(first.clone(), false), (second, false)]);
        // One over its rejects that failed can be gone on with, until another one has done it.
        let _ = end(Some(&first), Some(RunState::Failed)).await;
        assert_eq!(needed().await, [true, false, false]);
        let _ = end(Some(&first), Some(RunState::Done)).await;
        assert_eq!(needed().await, [false; 4]);
        // One that is under way needs them, and is not over itself.
        let _ = end(Some(&first), None).await;
        assert_eq!(needed().await, [true, false, false, false]);
    }
}
