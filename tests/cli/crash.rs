//! kill -9 and Ctrl-C while a POST is under way: the order is in the ledger already, and the books are right.

use crate::outcome::Running;
use crate::support::{KEY, PHONE, PLAN, Shop};

/// How many instants of a send a kill strikes at.
const INSTANTS: u32 = 40;

fn start_send<'shop>(shop: &'shop Shop, reference: &str) -> Running<'shop> {
    let order = [
        "--plan", PLAN, "--phone", PHONE, "--amount", "500", "--ref", reference,
    ];
    shop.start(&[&["send", "-o", "json"], &order[..]].concat())
}

/// A shop whose provider hangs on the first POST for longer than any of these tests takes.
fn shop_that_hangs(fault: &str) -> Shop {
    Shop::open().set("ONECLICKDZ_SEND_TIMEOUT", "30s").faults([fault])
}

#[test]
fn killed_behind_the_acceptance_it_is_found() {
    let shop = shop_that_hangs("hang_after@1");
    let sending = start_send(&shop, "order-1");
    shop.provider
        .await_books("the POST", |books| books.calls("send") == 1);
    sending.kill();
    assert_eq!(shop.ledger()["order-1"], "sending");
    shop.expect_agreement();
    assert_eq!(
        (shop.ledger()["order-1"].as_str(), shop.books().orders()),
        ("fulfilled", 1)
    );
    shop.send_as("order-1", 500).expect_exit(0).expect_paid_once();
}

#[test]
fn killed_before_the_acceptance_it_is_cancelled_and_can_be_sent() {
    let shop = shop_that_hangs("hang_before@1");
    let sending = start_send(&shop, "order-1");
    shop.provider
        .await_books("the POST", |books| books.calls("send") == 1);
    sending.kill();
    shop.provider.set_faults(&[]);
    shop.run(&["ref", "check", "order-1", "-o", "json"])
        .expect_exit(3)
        .expect_error("cancelled");
    assert_eq!(
        (shop.books().calls("send"), shop.books().orders()),
        (1, 0),
        "a check never sends"
    );
    shop.send_as("order-1", 500).expect_exit(0).expect_paid_once();
}

/// The same command again is a recovery too: it asks before it sends.
#[test]
fn killed_and_typed_again_it_is_paid_once() {
    for fault in ["hang_after@1", "hang_before@1"] {
        let shop = shop_that_hangs(fault);
        let sending = start_send(&shop, "order-1");
        shop.provider
            .await_books("the POST", |books| books.calls("send") == 1);
        sending.kill();
        shop.provider.set_faults(&[]);
        shop.send_as("order-1", 500)
            .expect_true_exit()
            .expect_exit(0)
            .expect_paid_once();
        assert!(
            shop.books().calls("check-ref") >= 1,
            "it sent without asking first: {fault}"
        );
    }
}

/// While a process sends, nobody else calls the order lost.
#[test]
fn an_order_that_is_being_sent_is_left_alone() {
    let shop = shop_that_hangs("hang_after@1");
    let sending = start_send(&shop, "order-1");
    shop.provider
        .await_books("the POST", |books| books.calls("send") == 1);
    shop.run(&["ref", "check", "-o", "json"])
        .expect_exit(6)
        .expect_error("busy");
    let settle = [
        "ref",
        "settle",
        "order-1",
        "--as",
        "refunded",
        "--because",
        "a guess",
        "-o",
        "json",
    ];
    let refused = shop.run(&settle);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert_eq!(shop.ledger()["order-1"], "sending");
    drop(sending);
    shop.expect_agreement();
}

/// The first Ctrl-C awaits the answer and stores it.
#[test]
fn a_first_interrupt_awaits_the_answer() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let shop = Shop::open_with(&["--latency", "500ms"]);
        let sending = start_send(&shop, "order-1");
        shop.provider
            .await_books("the POST", |books| books.calls("send") == 1);
        sending.signal(name);
        let ended = sending.finish().expect_exit(code);
        let state = shop.ledger()["order-1"].clone();
        assert_eq!(state, "accepted", "the answer was not stored: {ended:?}");
        assert_eq!(shop.books().orders(), 1);
        shop.expect_agreement();
    }
}

/// One that hangs past `send_timeout` is unknown when the interrupt is obeyed, not failed and not sent again.
#[test]
fn an_interrupt_in_a_hang_leaves_it_unknown() {
    let shop = Shop::open().faults(["hang_after@1"]);
    let sending = start_send(&shop, "order-1");
    shop.provider
        .await_books("the POST", |books| books.calls("send") == 1);
    sending.signal("INT");
    sending.finish().expect_exit(130);
    assert_eq!(shop.ledger()["order-1"], "unknown");
    assert_eq!(shop.books().calls("send"), 1);
    shop.expect_agreement();
}

/// The second Ctrl-C leaves at once; the order stays written down.
#[test]
fn a_second_interrupt_leaves_at_once() {
    let shop = shop_that_hangs("hang_after@1");
    let sending = start_send(&shop, "order-1");
    shop.provider
        .await_books("the POST", |books| books.calls("send") == 1);
    let started = std::time::Instant::now();
    sending.signal("INT");
    // Two signals that are pending together are one; the first must have been taken.
    std::thread::sleep(std::time::Duration::from_millis(100));
    sending.signal("INT");
    sending.finish().expect_exit(130);
    assert!(
        started.elapsed().as_secs() < 10,
        "it waited for the answer all the same"
    );
    assert_eq!(shop.ledger()["order-1"], "sending");
    shop.expect_agreement();
}

/// Told to wait for a day, it waits for its cap; an interrupt ends that at once, and nothing was made.
#[test]
fn an_interrupt_ends_a_huge_wait() {
    let shop = Shop::open()
        .faults(["rate_limited@1"])
        .switches(["retry_after=huge"]);
    let sending = start_send(&shop, "order-1");
    shop.provider
        .await_books("the POST", |books| books.0["rate_limited"] == 1);
    let started = std::time::Instant::now();
    while shop
        .ledger()
        .get("order-1")
        .is_none_or(|state| state == "planned")
    {
        assert!(started.elapsed().as_secs() < 10, "it is never written down");
    }
    sending.signal("INT");
    sending.finish().expect_exit(130);
    assert!(started.elapsed().as_secs() < 20, "it waited all the same");
    assert_eq!(shop.ledger()["order-1"], "cancelled");
    shop.expect_agreement();
    shop.send_as("order-1", 500).expect_exit(0).expect_paid_once();
}

/// What dies leaves nothing that tells the key.
#[test]
fn a_killed_process_leaves_no_key_behind() {
    let shop = shop_that_hangs("hang_after@1");
    let sending = start_send(&shop, "order-1");
    shop.provider
        .await_books("the POST", |books| books.calls("send") == 1);
    sending.kill();
    assert_eq!(
        crate::support::files_with(shop.home(), KEY),
        Vec::<std::path::PathBuf>::new()
    );
}

/// A kill at any instant between the start and the end, without a hook in the product: whenever it strikes, the
/// ledger and the books agree after one check, and the same commands again pay each order once.
#[test]
fn killed_at_any_instant_it_is_paid_once() {
    let shop = Shop::open_with(&["--latency", "5ms"]);
    shop.run(&["plans"]).expect_exit(0);
    let send = |instant: u32| {
        let (reference, amount) = (format!("order-{instant}"), (500 + instant).to_string());
        let order = [
            "--plan", PLAN, "--phone", PHONE, "--amount", &amount, "--ref", &reference,
        ];
        shop.start(&[&["send", "-o", "json"], &order[..]].concat())
    };
    // The instants are spread over as long as a whole send takes on this machine.
    let started = std::time::Instant::now();
    send(INSTANTS).finish().expect_exit(0);
    let whole = started.elapsed();
    for instant in 0..INSTANTS {
        let sending = send(instant);
        std::thread::sleep(whole * instant / INSTANTS);
        sending.kill();
    }
    let reached = shop.books().orders() - 1;
    assert!(
        (1..u64::from(INSTANTS)).contains(&reached),
        "all on one side of the POST: {reached}"
    );
    shop.expect_agreement();
    for instant in 0..INSTANTS {
        send(instant).finish().expect_exit(0);
    }
    assert_eq!(shop.books().orders(), u64::from(INSTANTS) + 1);
    shop.books().expect_no_doubles();
}
