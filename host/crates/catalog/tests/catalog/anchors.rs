//! How far audit logs are, in both databases.

use glovebox_catalog::LogAnchor;

use crate::databases::{NOW, both};

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
