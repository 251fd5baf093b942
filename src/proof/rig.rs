//! One run of the proof: a world is drawn from its seed, its scenes are played in paused time, it is healed, and the
//! reference model judges what the ledger and the books say.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::process::{Ran, Shop};
use super::provider::{Booked, KEY, Provider, USERNAME};
use super::reference::{Broken, Wishes, false_words, losses, unfinished};
use super::world::{End, Fault, Scene, World};
use crate::clock::Clock;
use crate::domain::{Account, Environment, Order};
use crate::ledger::{Filter, Ledger};
use crate::promise::{Life, Rule};
use crate::stop::{self, Signal, Stopper};

/// How often a healed batch may be typed again until it has ended.
const AGAIN_MAX: u32 = 8;
/// No process needs so long.
const FOR_EVER: Duration = Duration::from_hours(2);
/// Requests that were cut land within this.
const LANDED: Duration = Duration::from_secs(40);

/// What a run brought.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub broken: Vec<Broken>,
    pub scenes: u64,
    pub kills: u64,
    pub interrupts: u64,
    pub posts: u64,
    pub paid: u64,
    pub faults: BTreeMap<Fault, u64>,
}

/// Plays the world of a seed; with a broken rule, one that is likely to need it.
pub fn play(seed: u64, rule: Option<Rule>) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap_or_else(|error| panic!("{error}"));
    let place = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    fastrand::seed(seed);
    let world = World::of(seed);
    let world = match rule {
        Some(rule) => world.needing(rule),
        None => world,
    };
    let played = runtime.block_on(Play::of(world, place.path(), rule.is_some()).play());
    drop(runtime);
    played
}

/// Copied for each run: making the tables takes longer than most runs.
fn new_ledger(at: &Path) {
    static TEMPLATE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let place = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let path = place.path().join("ledger.db");
        drop(Ledger::open(&path));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{error}"))
    });
    std::fs::write(at, &*TEMPLATE).unwrap_or_else(|error| panic!("{error}"));
}

struct Play {
    world: World,
    shop: Shop,
    witness: Ledger,
    wishes: Wishes,
    verdict: Verdict,
    processes: u32,
    /// Whether the first breach is all that is asked for.
    is_probe: bool,
}

impl Play {
    fn of(mut world: World, place: &Path, is_probe: bool) -> Self {
        // Noon in Algiers, so that no world passes midnight.
        let epoch = Timestamp::from_second(1_800_010_800).unwrap_or(Timestamp::UNIX_EPOCH);
        let clock = Clock::from_runtime(epoch);
        let account = Account {
            username: USERNAME.to_owned(),
            environment: Environment::Sandbox,
        };
        let path = place.join("ledger.db");
        new_ledger(&path);
        let open =
            || Ledger::open_stepwise(&path, Life::of(u64::MAX)).unwrap_or_else(|error| panic!("{error}"));
        let provider = Arc::new(Provider::new(&mut world, clock, account.clone(), open()));
        let label = "november".parse().unwrap_or_else(|error| panic!("{error}"));
        let shop = Shop::new(&world, place, provider, clock, account, label);
        Self {
            world,
            shop,
            witness: open(),
            wishes: Wishes::default(),
            verdict: Verdict::default(),
            processes: 0,
            is_probe,
        }
    }

    async fn play(mut self) -> Verdict {
        self.foreign_orders();
        for _ in 0..self.world.scenes {
            self.save_sheet();
            Box::pin(self.scene()).await;
            self.look();
            if !self.world.is_hasty {
                tokio::time::sleep(LANDED).await;
            }
            self.look();
            if self.is_probe && self.is_broken() {
                break;
            }
            self.world.edit();
        }
        Box::pin(self.heal()).await;
        self.verdict
    }

    fn is_broken(&self) -> bool {
        !self.verdict.broken.is_empty() || !self.shop.provider.breaches().is_empty()
    }

    /// Somebody else has used some of the refs.
    fn foreign_orders(&mut self) {
        let refs = self.shop.label.refs(&self.shop.account);
        for row in self.world.rows.clone() {
            if self.world.rng.u8(0..100) >= self.world.foreign_percent {
                continue;
            }
            let parsed = (
                row.phone.parse(),
                super::world::PLAN.parse(),
                crate::domain::Amount::of(row.amount),
            );
            let (Ok(phone), Ok(plan), Ok(amount)) = parsed else {
                continue;
            };
            let reference = if self.world.own_refs {
                row.reference
            } else {
                refs.of(&phone, &plan, amount, 1).to_string()
            };
            if self.shop.provider.order(&reference).is_none() {
                self.shop.provider.book_foreign(&reference);
            }
        }
    }

    fn save_sheet(&mut self) {
        let bytes = self.world.sheet();
        std::fs::write(self.shop.sheet(), bytes).unwrap_or_else(|error| panic!("{error}"));
    }

    fn process(&mut self) -> u32 {
        self.processes += 1;
        self.processes
    }

    async fn scene(&mut self) {
        self.verdict.scenes += 1;
        let (scene, end) = self.world.scene();
        let (first, second) = (self.process(), self.process());
        let row = self.world.rng.choice(&self.world.rows).cloned();
        let (phone, amount) = row.map_or(("0778037340", 100), |row| (row.phone, row.amount));
        if scene != Scene::Send {
            self.wishes
                .sheet(&self.world.rows, self.world.own_refs, self.world.again);
        }
        if matches!(scene, Scene::Send | Scene::SendBeside) {
            self.wishes.single(phone, amount);
        }
        let behind = Duration::from_millis(self.world.rng.u64(0..5_000));
        let (stopper, stop) = stop::channel();
        let (_other, other) = stop::channel();
        let life = match end {
            End::Killed(steps) => Life::of(steps),
            End::None | End::Interrupted(_) => Life::of(u64::MAX),
        };
        let full = Life::of(u64::MAX);
        let here = &self.shop;
        let main = async {
            match scene {
                Scene::Send => here.send(first, life.clone(), stop, phone, amount).await,
                _ => here.batch(first, life.clone(), stop).await,
            }
        };
        let beside = async {
            tokio::time::sleep(behind).await;
            match scene {
                Scene::TwoBatches => here.batch(second, full, other).await,
                Scene::SendBeside => here.send(second, full, other, phone, amount).await,
                Scene::CheckBeside => here.check(second, full, other).await,
                Scene::Batch | Scene::Send => Ok(()),
            }
        };
        let (ended, stood_by) =
            tokio::join!(until(end, &life, &stopper, Self::ends(main)), Self::ends(beside));
        match ended {
            Ended::Killed => self.verdict.kills += 1,
            Ended::Itself(ran) => {
                self.verdict.interrupts += u64::from(matches!(end, End::Interrupted(_)));
                self.worked(ran);
            }
        }
        self.worked(stood_by);
        // What was killed is gone before the next process begins.
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
    }

    /// Awaits a process; one that goes on for ever is told.
    async fn ends(process: impl Future<Output = Ran>) -> Ran {
        let ended = tokio::time::timeout(FOR_EVER, process).await;
        ended.unwrap_or_else(|_| Err("it never ended".into()))
    }

    /// In this world the ledger never fails, and nobody gives it a sheet that can't be read.
    fn worked(&mut self, ran: Ran) {
        if let Err(error) = ran {
            self.verdict
                .broken
                .push(Broken::Conduct(format!("a process failed: {error}")));
        }
    }

    fn ledger(&self) -> Vec<Order> {
        self.witness
            .list(&self.shop.account, &Filter::default())
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn books(&self) -> Vec<Booked> {
        self.shop.provider.orders()
    }

    /// What holds at any moment.
    fn look(&mut self) {
        let (ledger, books) = (self.ledger(), self.books());
        self.verdict
            .broken
            .extend(self.wishes.doubles(&books, self.world.again));
        self.verdict.broken.extend(losses(&ledger, &books));
        self.verdict.broken.extend(false_words(&ledger, &books));
        if let Some(cap) = self.shop.caps.per_day {
            let paid = books
                .iter()
                .filter(|order| !order.is_foreign && order.ending != super::provider::Ending::PaidBack);
            let paid: u64 = paid.map(|order| order.amount).sum();
            if paid > cap {
                self.verdict.broken.push(Broken::Conduct(format!(
                    "{paid} DZD were paid under a cap of {cap}"
                )));
            }
        }
    }

    /// What a failed world looked like in the end.
    fn dump(&self) {
        super::say(&format!("{:#?}\n{:#?}", self.world, self.books()));
        for order in self.ledger() {
            super::say(&format!("{order:?}"));
            for step in self.witness.moves(&order).unwrap_or_default() {
                super::say(&format!(
                    "    {} {:?} -> {}: {:?}",
                    step.at, step.from, step.to, step.why
                ));
            }
        }
    }

    async fn heal(&mut self) {
        self.shop.provider.heal();
        self.shop.caps.per_day = None;
        let consents = self.world.again || self.world.own_refs;
        self.wishes
            .sheet(&self.world.rows, self.world.own_refs, self.world.again);
        for _ in 0..AGAIN_MAX {
            self.save_sheet();
            for is_batch in [true, false] {
                let process = self.process();
                let (_stopper, stop) = stop::channel();
                let life = Life::of(u64::MAX);
                let ran = if is_batch {
                    Box::pin(Self::ends(self.shop.batch(process, life, stop))).await
                } else {
                    Box::pin(Self::ends(self.shop.check(process, life, stop))).await
                };
                self.worked(ran);
            }
            self.look();
            let is_finished =
                unfinished(&self.ledger(), &self.books(), &self.world.rows, consents).is_empty();
            if is_finished || self.is_probe && self.is_broken() {
                break;
            }
            tokio::time::sleep(LANDED).await;
        }
        let (ledger, books) = (self.ledger(), self.books());
        self.verdict
            .broken
            .extend(unfinished(&ledger, &books, &self.world.rows, consents));
        self.verdict
            .broken
            .extend(self.shop.provider.breaches().into_iter().map(Broken::Conduct));
        self.secrets();
        self.verdict.broken.sort();
        self.verdict.broken.dedup();
        if !self.verdict.broken.is_empty() && super::is_shown() {
            self.dump();
        }
        self.verdict.paid = books.iter().filter(|order| !order.is_foreign).count() as u64;
        (self.verdict.posts, self.verdict.faults) = self.shop.provider.counts();
    }

    fn secrets(&mut self) {
        for file in std::fs::read_dir(&self.shop.place)
            .into_iter()
            .flatten()
            .flatten()
        {
            let bytes = std::fs::read(file.path()).unwrap_or_default();
            if String::from_utf8_lossy(&bytes).contains(KEY) {
                let name = file.file_name().to_string_lossy().into_owned();
                self.verdict
                    .broken
                    .push(Broken::Secret(format!("the key stands in `{name}`")));
            }
        }
    }
}

enum Ended {
    Itself(Ran),
    Killed,
}

/// Runs a process until it ends, by itself, by a signal, or killed.
async fn until(end: End, life: &Life, stopper: &Stopper, process: impl Future<Output = Ran>) -> Ended {
    let mut process = std::pin::pin!(process);
    let told = async {
        if let End::Interrupted(after) = end {
            tokio::time::sleep(after).await;
            stopper.stop(Signal::Interrupt);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = life.ended() => Ended::Killed,
        ran = &mut process => Ended::Itself(ran),
        () = told => Ended::Killed,
    }
}
