//! A disk that fails: full at each write in turn, broken at each write or sync, not to be written at all. The command
//! says so with exit code 10, nothing has left that the ledger does not know, and once the disk is mended the same
//! command ends well.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use libtest_mimic::Trial;

use crate::deed::Deed;
use crate::inject::{Act, Errno, Kind, Plan, strike, watch};
use crate::lanes::each;
use crate::tally;

/// The scenes of this file.
pub fn scenes() -> Vec<Trial> {
    let scene = |name: &str, kinds: &'static [Kind], acts: &'static [Act]| {
        Trial::test(format!("disk::{name}"), move || {
            for deed in [Deed::FirstSend, Deed::Batch] {
                fail_at_every_call(deed, kinds, acts);
            }
            Ok(())
        })
    };
    vec![
        scene("full_from_any_write_on", &[Kind::Write, Kind::Make], &[Act::Lasting(Errno::NoSpace)]),
        scene("broken_from_any_call_on", &[Kind::Sync, Kind::Write, Kind::Make], &[Act::Lasting(Errno::Io)]),
        scene(
            "broken_at_one_call",
            &[Kind::Sync, Kind::Write, Kind::Make, Kind::Remove],
            &[Act::Once(Errno::Io)],
        ),
        scene(
            "not_to_be_written",
            &[Kind::Open],
            &[Act::Lasting(Errno::Access), Act::Lasting(Errno::ReadOnly)],
        ),
    ]
}

fn fail_at_every_call(deed: Deed, kinds: &[Kind], acts: &[Act]) {
    let shop = deed.open();
    let counted = watch(&shop, deed.words());
    let mut plans = Vec::new();
    for kind in kinds {
        for place in 1..=counted.count(*kind) {
            plans.extend(acts.iter().map(|act| Plan { kind: *kind, place, act: *act }));
        }
    }
    let codes: Mutex<BTreeMap<String, Vec<Plan>>> = Mutex::default();
    each(&plans, |plan| {
        let shop = deed.open();
        let struck = strike(&shop, deed.words(), *plan);
        codes.lock().unwrap_or_else(PoisonError::into_inner).entry(format!("{:?} {}", struck.outcome.code, struck.outcome.error()["message"])).or_default().push(*plan);
        tally::inspect(&shop, &[&struck.outcome]);
        deed.finish(&shop);
    });
    for (code, plans) in codes.into_inner().unwrap() { eprintln!("CODES {deed:?} {code}: {} {}", plans.len(), plans[0]); }
}
