//! A provider whose answers don't tell what became of row after row: no more rows go to it before something is known.

use crate::sheet::Sheet;
use crate::support::Shop;

const ROWS: u32 = 80;
/// Twenty, and those of four connections that leave before the answer to the twentieth is understood.
const MOST_IN_DOUBT: u64 = 20 + 2 * 4;

/// A shop whose provider has these faults from the first POST on.
fn shop_with(faults: &[&str]) -> Shop {
    let shop = Shop::open().set("ONECLICKDZ_CONCURRENCY", "4");
    shop.provider.set_faults(faults);
    shop
}

fn customers(shop: &Shop) -> Sheet<'_> {
    shop.sheet("november.csv").customers(ROWS)
}

/// Some twenty rows are in doubt, the others stay planned, and the same command sends each of all once in the end.
#[test]
fn a_provider_that_is_out_of_order_gets_no_more_rows() {
    for fault in ["error_503_before", "html_502_before", "request_lost"] {
        let shop = shop_with(&[fault]);
        let sheet = customers(&shop);
        let stopped = sheet.send().expect_exit(6).expect_error("outcome_unknown");
        let (unknown, planned) = (stopped.rows("unknown"), stopped.rows("planned"));
        assert!((20..=MOST_IN_DOUBT).contains(&unknown), "{stopped:?}");
        assert_eq!(planned + unknown, u64::from(ROWS), "{stopped:?}");
        assert_eq!(stopped.json()["stopped"], "unavailable", "{stopped:?}");
        let stopped = stopped.expect_hint("don't tell what became of them");
        shop.provider.set_faults(&[]);
        shop.shell(&stopped.next()).expect_exit(0);
        sheet.expect_each_paid_once();
        sheet.expect_true_results();
    }
}

/// Every answer is lost, and the list shows what was made: the rows go on, a few at a time.
#[test]
fn rows_go_on_where_the_list_tells_what_the_answers_do_not() {
    for fault in ["empty_200", "answer_lost"] {
        let shop = shop_with(&[fault]);
        let sheet = customers(&shop);
        sheet.send().expect_exit(0).expect_posts(ROWS.into());
        sheet.expect_each_paid_once();
        sheet.expect_true_results();
    }
}

/// It works again while the first ones are asked about: they are sent again, and the others follow.
#[test]
fn rows_go_on_once_the_provider_works_again() {
    let shop = shop_with(&["error_500_before@1-40"]).set("ONECLICKDZ_RETRY_ATTEMPTS", "9");
    let sheet = customers(&shop);
    let sent = sheet.send().expect_exit(0);
    assert!(sent.json()["stopped"].is_null(), "{sent:?}");
    sheet.expect_each_paid_once();
    sheet.expect_true_results();
}

/// The last rows of a sheet hold up nothing: by a schedule they are claimed one by one, and it is not yet known that there
/// are no more.
#[test]
fn a_sheet_that_is_all_in_doubt_has_no_rest() {
    let shop = shop_with(&["error_503_before"])
        .set("ONECLICKDZ_RATE", "6000")
        .set("ONECLICKDZ_CONCURRENCY", "1");
    let sheet = shop.sheet("november.csv").customers(20);
    let ended = sheet.send().expect_exit(6);
    assert_eq!(ended.rows("unknown"), 20, "{ended:?}");
    assert!(ended.json()["stopped"].is_null(), "{ended:?}");
}

/// Ctrl-C while rows are held: none of them leaves, and the run ends.
#[cfg(unix)]
#[test]
fn a_batch_that_holds_its_rows_hears_a_signal() {
    let shop = shop_with(&["error_503_before"]).set("ONECLICKDZ_RETRY_DELAY", "60s");
    let sheet = customers(&shop);
    let running = sheet.start(&[]);
    shop.await_states("twenty rows in doubt", |states| {
        states.get("unknown").is_some_and(|rows| *rows >= 20)
    });
    running.signal("INT");
    let stopped = running.finish().expect_exit(130);
    assert!(stopped.rows("unknown") <= MOST_IN_DOUBT, "{stopped:?}");
    assert_eq!(stopped.json()["stopped"], "interrupted", "{stopped:?}");
}
