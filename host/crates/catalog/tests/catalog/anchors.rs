//! How far audit logs are, in both databases.

use glovebox_catalog::{Catalog, LogAnchor, Place};

use crate::databases::{NOW, both, postgres};

fn anchor(log: &str, sequence: u64) -> LogAnchor {
    LogAnchor {
        log: log.into(),
        place: "here:/var/log".into(),
        checkpoint: sequence / 10,
        sequence,
        head: format!("{sequence:064x}"),
    }
}

#[tokio::test]
async fn an_anchor_never_goes_back_but_for_a_log_that_was_restored() {
    for catalog in both("catalog_anchors").await.catalogs {
        assert_eq!(catalog.anchors().await.unwrap(), []);
        catalog.anchor(&anchor("one", 40), NOW).await.unwrap();
        catalog.anchor(&anchor("two", 7), NOW + 1).await.unwrap();
        catalog.anchor(&anchor("one", 39), NOW + 2).await.unwrap();
        let known = catalog.anchors().await.unwrap();
        assert_eq!(known, [anchor("two", 7), anchor("one", 40)]);
        catalog.anchor(&anchor("one", 41), NOW + 3).await.unwrap();
        assert_eq!(catalog.anchors().await.unwrap()[0], anchor("one", 41));

        let because = "restored from the backup of Monday";
        catalog.restore_anchor("one", because, NOW).await.unwrap();
        assert_eq!(catalog.anchors().await.unwrap(), [anchor("two", 7)]);
        catalog.anchor(&anchor("one", 12), NOW + 4).await.unwrap();
        assert_eq!(catalog.anchors().await.unwrap()[0], anchor("one", 12));
    }
}

#[tokio::test]
async fn a_probe_finds_out_what_an_opening_would_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalog.db");
    for place in [Place::Sqlite(file.clone()), postgres("catalog_probe")] {
        assert_eq!(Catalog::probe(&place).await.unwrap(), []);
        assert!(!file.exists() || std::fs::metadata(&file).unwrap().len() > 0);
        let catalog = Catalog::open(&place).await.unwrap();
        catalog.anchor(&anchor("one", 40), NOW).await.unwrap();
        catalog.close().await;
        assert_eq!(Catalog::probe(&place).await.unwrap(), [anchor("one", 40)]);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = Place::Sqlite(folder.path().join("nowhere/catalog.db"));
    let told = Catalog::probe(&nowhere).await.unwrap_err().to_string();
    assert!(told.contains("there is no folder"), "{told}");
    let text = folder.path().join("text.db");
    std::fs::write(
        &text,
        "no database at all, but long enough to look like one",
    )
    .unwrap();
    let told = Catalog::probe(&Place::Sqlite(text)).await.unwrap_err();
    assert!(told.to_string().contains("not a SQLite database"), "{told}");
}
