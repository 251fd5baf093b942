//! The longer texts of the help: examples, exit codes, tables of faults and switches.

use std::fmt::Write;

use crate::commands::reconcile::FindingKind;
use crate::simulator::{FAULTS, SWITCHES, TAMPERINGS};

/// The examples of the first page: one text for the short and the long help.
macro_rules! examples {
    () => {
        "\
Examples:
  oneclick --simulate send --plan PREPAID_DJEZZY --phone 0778037340 --amount 500
  oneclick config init
  oneclick balance
  oneclick send --plan auto --phone '0778 03 73 40' --amount 500
  oneclick batch november.csv
  oneclick ref check
  oneclick reconcile
"
    };
}

pub(super) const EXAMPLES: &str = concat!(examples!(), "\n`oneclick --help` adds exit codes and variables.");

pub(super) const LONG: &str = concat!(
    examples!(),
    "
Exit codes:
  0    all that was asked for reached its good end
  1    a fault of oneclick itself
  2    usage, a bad file, a missing confirmation
  3    refused before it was made, or refunded
  4    the key is missing, wrong, disabled or blocked
  5    the batch ended, some rows were rejected or refunded; the books differ
  6    at least one outcome is unknown: it may have been paid
  7    unavailable; nothing was sent
  8    accepted, not final when the waiting ended
  9    a cap, a threshold or the balance stopped it
  10   the ledger is damaged, newer or can't be written; the disk is full
  11   the batch is running in another process, or the account is being compared
  130  interrupted (143: terminated), after answers on their way were stored

Variables:
  Every key of the configuration has one: ONECLICKDZ_API_KEY, ONECLICKDZ_PROFILE,
  ONECLICKDZ_OUTPUT, ONECLICKDZ_LEDGER, … (`oneclick config show` lists all keys). NO_COLOR,
  CLICOLOR_FORCE and COLUMNS are respected, and so are the proxy variables."
);

pub(super) const BALANCE: &str = "\
Examples:
  oneclick balance
  oneclick balance --min 5000 --quiet || echo 'put money on the account'
  oneclick balance -o json | jq -r .balance";

pub(super) const SEND: &str = "\
Examples:
  oneclick send --plan PREPAID_DJEZZY --phone 0778037340 --amount 500
  oneclick send --plan auto --phone '+213 778 03 73 40' --amount 500 --dry-run
  oneclick send --plan PREPAID_DJEZZY --phone 0778037340 --amount 500 --ref order-1042 -o json

Each order is written to the ledger before it is sent. Where an answer is lost, oneclick asks
before it does anything else, and sends again only under the same ref. Exit code 6 means that
nobody knows yet: do not send it under another ref; run `oneclick ref check`.";

pub(super) const BATCH: &str = "\
Examples:
  oneclick batch november.csv --dry-run
  oneclick batch november.csv
  oneclick batch november.csv --yes --expect-count 3000 -o json
  cut -d, -f2,5 export.csv | oneclick batch - --label november --plan auto --yes
  oneclick batch --list

The sheet has a header (`phone,amount,plan,ref,note` in English, French or Arabic, in any
order), or none: `phone,amount` or `phone,plan,amount`. All rows are checked before any is sent.

The same command again goes on where it stopped, and never sends a row twice: a row is known by
its ref, or by the batch's name, phone, plan, amount and how often they occur, so that the sheet
may be sorted, saved anew, shortened or added to. `november.results.csv` says what became of
every row; `november.retry.csv` has those that were not delivered. The first Ctrl-C sends no new
rows and awaits the answers on their way; the second leaves at once.";

/// The examples of `reconcile`: one text for the short and the long help.
macro_rules! reconciling {
    () => {
        "\
Examples:
  oneclick reconcile
  oneclick reconcile --since 2026-11-01 --until 2026-11-30 -o csv > november.csv
  oneclick reconcile --since today --quiet || echo 'the books differ'

Both sides are read over the range and a little around it, within the quota: about two calls for
a hundred orders. What was read is kept: after Ctrl-C or a cut the same command goes on where it
stopped, within an hour. Open orders that have ended at the provider are moved in the ledger, as
`oneclick ref check` does; what has ended here is never rewritten.

It exits with 0 only when all agrees; with 5 when something differs or could not be compared, and
with 6 while it is unknown what became of an order. Amounts that differ by half a centime at most
are the same: how the provider rounds is not known."
    };
}

pub(super) const RECONCILE: &str = concat!(
    reconciling!(),
    "\n\n`oneclick reconcile --help` lists what may be found."
);

/// With every kind of finding.
pub(super) fn reconcile() -> String {
    let mut text = String::from(concat!(reconciling!(), "\n\nWhat may be found:\n"));
    for kind in FindingKind::ALL {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:<23} {}", kind.word(), kind.meaning());
    }
    text.push_str("\nThe last three are no differences: they say what this run has moved.");
    text
}

pub(super) const CHECK: &str = "\
Examples:
  oneclick ref check
  oneclick ref check order-1042 -o json

Many open orders are looked for on the provider's list, the others asked about one by one. One of
which nobody can tell holds nothing up, and a ref that nobody knows is said; the exit code is that
of the gravest. `oneclick ref list --open` then says what to do about those that are left.";

pub(super) const SHOW: &str = "\
Examples:
  oneclick ref show order-1042
  oneclick ref show order-1042 --support
  oneclick ref show order-1042 --support order-1042.txt

`--support` has the ids, request ids, times in UTC and Algiers, and every request with its answer.
It leaves out the key, other orders, the batch and your own notes. A file that exists is not
written over; a new one can be read by its owner only.";

pub(super) const SETTLE: &str = "\
Examples:
  oneclick ref settle order-1042 --as fulfilled --because 'support, ticket 4711'
  oneclick ref settle order-7 order-8 --as refunded --because 'on the account statement of 24/11'

The reason stays with the order, which is shown as settled by hand from then on, and oneclick never
changes it again. Several refs are settled only if all of them can be. At a terminal it asks first.";

pub(super) const REPORT: &str = "\
Examples:
  oneclick report
  oneclick report --day yesterday --by operator
  oneclick report --month 2026-11 --by day
  oneclick report --month 2026-11 --by batch,plan --excel > november.csv
  oneclick report --since 2026-11-01 --until 2026-11-15 -o json

`--by` takes `operator`, `plan`, `batch`, `state` and `day`. How orders are counted:
  - An order belongs to the day on which it was sent, in Algiers time (UTC+1).
  - `face`, `cost` and `margin` are of what was sold: delivered, as the provider or `ref settle` says.
  - A refunded order is counted on its own day and costs nothing. Money that came back for orders of
    earlier days is a line of its own, on the day on which oneclick learned of it.
  - Open orders (sending, accepted, in_review, unknown) are neither sold nor failed.
  - Rejected, cancelled and clashing orders, and rows put back, are `not made`: no sale, no money.
  - Where a cost is not known this is said: such orders are in no sum of costs and in no margin.
The report is made from the ledger and asks nobody; `oneclick ref check` first brings it up to date.
`-o csv` has `,` between columns and `.` in decimals, as every command; `--excel` is for a French Excel.";

pub(super) const AUDIT: &str = "\
Examples:
  oneclick ref audit --since today
  oneclick ref audit --ref order-1042 -o jsonl
  oneclick ref audit --verify
  oneclick ref audit --verify --head 3f2a…

The log is `ledger.db.audit.jsonl` beside the ledger: a line for each act and each step of an
order, each with the hash of the line before. `--verify` holds every line against the ledger and
exits with 10 where they differ. Note its head elsewhere from time to time: with it even a log
and a ledger that were both made anew are found out.";

pub(super) const CONFIG_INIT: &str = "\
Examples:
  oneclick config init
  oneclick config init --key-command 'pass show oneclickdz'
  oneclick config init --profile shop2
  printf '%s' \"$KEY\" | oneclick config init

The key never stands on the command line. The file is readable by its owner only.";

pub(super) const COMPLETIONS: &str = "\
Where to put it:
  bash        oneclick completions bash > ~/.local/share/bash-completion/completions/oneclick
  zsh         oneclick completions zsh > a directory of $fpath, as _oneclick
  fish        oneclick completions fish > ~/.config/fish/completions/oneclick.fish
  PowerShell  oneclick completions powershell >> $PROFILE
  elvish      oneclick completions elvish >> ~/.config/elvish/rc.elv

Refs, plans and profiles are completed from the ledger and the configuration, without the network.";

/// The faults and switches of the simulator.
pub(super) fn simulate() -> String {
    let mut text = String::from(
        "Faults strike the endpoint `send` unless another is named (check-ref, check-id, list, transactions,\n\
         balance, plans, validate, any): `answer_lost=5%` at random, `answer_lost@1` the first call,\n\
         `hang_after:list@2-3` the second and third call of another one.\n\nFaults:\n",
    );
    for (name, meaning) in FAULTS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {name:<18} {meaning}");
    }
    text.push_str("\nSwitches (the default first):\n");
    for (name, values, default, meaning) in SWITCHES {
        let _ = writeln!(text, "  {name}={default}\n      {meaning} ({values})");
    }
    text.push_str(
        "\nBooks and controls, for tests: GET /_simulator/books; POST /_simulator/deposit\n\
         {\"amount\":\"1000\"}, /_simulator/advance {\"seconds\":3600}, /_simulator/faults\n\
         {\"faults\":[\"answer_lost=5%\"]}, /_simulator/switch {\"name\":\"check_ref\",\"value\":\"raw\"},\n\
         /_simulator/order {\"ref\":\"r\",\"phone\":\"0778037340\",\"plan_code\":\"PREPAID_DJEZZY\",\"amount\":500}.\n\n\
         POST /_simulator/tamper {\"what\":\"drop_refund\",\"ref\":\"r\"} changes the books behind everybody's back,\n\
         to rehearse `oneclick reconcile`; with --store it stays. What can be done, and what it needs:\n",
    );
    for (word, needs, meaning) in TAMPERINGS {
        let _ = writeln!(text, "  {word:<18} {needs:<11} {meaning}");
    }
    text
}
