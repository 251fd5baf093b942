//! A world of the proof: everything that chance decides, drawn from one seed.

use std::time::Duration;

use fastrand::Rng;

use crate::promise::Rule;

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The connection never opens.
    NotSent,
    /// The request is lost on its way.
    LostBefore,
    /// It is made, and the answer is lost.
    LostAfter,
    /// `INTERNAL_ERROR`, nothing made.
    ErrorBefore,
    /// `INTERNAL_ERROR`, and it was made.
    ErrorAfter,
    /// A proxy's page, nothing made.
    PageBefore,
    /// A proxy's page, and it was made.
    PageAfter,
    /// The router's own 404.
    NoRoute,
    /// 429 with `Retry-After`.
    TooMany,
    /// 503 `AUTH_UNAVAILABLE`.
    AuthUnavailable,
    /// It is made, and nobody answers.
    Hangs,
    /// The connection is cut, and the request lands later.
    LandsLate,
    /// The key stands in the answer.
    EchoesKey,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::NotSent,
        Self::LostBefore,
        Self::LostAfter,
        Self::ErrorBefore,
        Self::ErrorAfter,
        Self::PageBefore,
        Self::PageAfter,
        Self::NoRoute,
        Self::TooMany,
        Self::AuthUnavailable,
        Self::Hangs,
        Self::LandsLate,
        Self::EchoesKey,
    ];
}

/// Which spelling of a ref the provider looks up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    Both,
    Raw,
    Prefixed,
}

/// A row of the sheet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub phone: &'static str,
    pub amount: u32,
    /// The caller's own ref, in worlds whose sheets have them.
    pub reference: String,
}

/// What happens in one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// The batch alone.
    Batch,
    /// Two of it at once.
    TwoBatches,
    /// A single top-up beside it.
    SendBeside,
    /// `ref check` beside it.
    CheckBeside,
    /// A single top-up alone.
    Send,
}

/// How a process ends before its work does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It does not.
    None,
    /// Killed behind so many steps.
    Killed(u64),
    /// Ctrl-C after so long.
    Interrupted(Duration),
}

/// One seed's world.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one contradiction of the API's sources, or one habit"
)]
pub struct World {
    pub rng: Rng,
    pub connections: usize,
    pub is_paced: bool,
    pub stores_prefixed: bool,
    pub spelling: Spelling,
    pub newest_first: bool,
    pub has_hyphen: bool,
    pub skew: Duration,
    pub is_ahead: bool,
    pub order_life: Duration,
    pub shown_late: Duration,
    pub refunds_percent: u8,
    pub reviews_percent: u8,
    pub faults_percent: u8,
    pub wallet: Option<u64>,
    pub looks_at_wallet_first: bool,
    pub key_off_after: Option<u64>,
    pub cap: Option<u64>,
    pub again: bool,
    pub own_refs: bool,
    pub foreign_percent: u8,
    pub rows: Vec<Row>,
    pub scenes: usize,
    /// The one scene that is played, to its end.
    only: Option<Scene>,
    /// Whether one scene follows the other at once.
    pub is_hasty: bool,
    /// Whether requests to top up are long on their way.
    pub is_slow_road: bool,
    made: u32,
}

/// The numbers of all sheets; few, so that repeats are common.
const PHONES: [&str; 5] = [
    "0778037340",
    "0661234567",
    "0550123456",
    "0798765432",
    REFUSED_PHONE,
];
/// The provider refuses it.
pub const REFUSED_PHONE: &str = "0770000009";
const AMOUNTS: [u32; 3] = [100, 200, 500];

impl World {
    /// The world of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let one_in = |rng: &mut Rng, n: u32| rng.u32(0..n) == 0;
        let millis = |rng: &mut Rng, to: u64| Duration::from_millis(rng.u64(0..=to));
        let own_refs = one_in(&mut rng, 4);
        let mut world = Self {
            connections: *rng.choice(&[1, 2, 4, 8]).unwrap_or(&1),
            is_paced: one_in(&mut rng, 3),
            stores_prefixed: !one_in(&mut rng, 3),
            spelling: *rng
                .choice(&[Spelling::Both, Spelling::Both, Spelling::Raw, Spelling::Prefixed])
                .unwrap_or(&Spelling::Both),
            newest_first: rng.bool(),
            has_hyphen: rng.bool(),
            skew: if one_in(&mut rng, 5) {
                millis(&mut rng, 120_000)
            } else {
                millis(&mut rng, 2_000)
            },
            is_ahead: rng.bool(),
            order_life: Duration::from_secs(2) + millis(&mut rng, 18_000),
            shown_late: if one_in(&mut rng, 3) {
                millis(&mut rng, 6_000)
            } else {
                Duration::ZERO
            },
            refunds_percent: *rng.choice(&[0, 10, 40]).unwrap_or(&0),
            reviews_percent: *rng.choice(&[0, 0, 15]).unwrap_or(&0),
            faults_percent: *rng.choice(&[0, 1, 5, 20, 40]).unwrap_or(&0),
            wallet: one_in(&mut rng, 5).then(|| rng.u64(100..2_000)),
            looks_at_wallet_first: rng.bool(),
            key_off_after: one_in(&mut rng, 6).then(|| rng.u64(1..30)),
            cap: one_in(&mut rng, 6).then(|| rng.u64(2..20) * 100),
            again: rng.bool(),
            own_refs,
            foreign_percent: if one_in(&mut rng, 5) { 20 } else { 0 },
            rows: Vec::new(),
            scenes: rng.usize(1..6),
            only: None,
            is_hasty: false,
            is_slow_road: false,
            made: 0,
            rng,
        };
        for _ in 0..world.rng.usize(1..13) {
            let row = world.new_row();
            world.rows.push(row);
        }
        world
    }

    /// The same world, made likelier to need a rule.
    pub fn needing(mut self, rule: Rule) -> Self {
        match rule {
            Rule::DoubtStays => {
                (self.wallet, self.looks_at_wallet_first) = (Some(self.rng.u64(1..8) * 100), true);
                (self.faults_percent, self.shown_late) = (40, Duration::from_secs(20));
            }
            Rule::TakenIsNotRefused | Rule::UnknownIsNotFailed | Rule::KeyWithheld => {
                self.faults_percent = 40;
            }
            // The provider shows late what it has.
            Rule::TakenIsThere => {
                (self.faults_percent, self.shown_late) = (40, Duration::from_secs(90));
                self.scenes = 6;
            }
            Rule::GivenUpLate => {
                (self.faults_percent, self.shown_late) = (40, Duration::from_secs(12));
                (self.scenes, self.is_hasty) = (6, true);
            }
            Rule::AdoptionCompares => self.foreign_percent = 50,
            Rule::AuthStops => self.key_off_after = Some(self.rng.u64(1..20)),
            Rule::EmptyWalletStops => self.wallet = Some(self.rng.u64(0..500)),
            Rule::Caps => self.cap = Some(100),
            // Somebody asks about a request that its living process still waits for.
            Rule::OwnerAlive => (self.only, self.is_slow_road) = (Some(Scene::CheckBeside), true),
            // What is committed late locks the others out.
            Rule::WrittenFirst => self.only = Some(Scene::Batch),
            Rule::SameRef | Rule::AskedFirst | Rule::AbsentTwice | Rule::BatchLock | Rule::RepeatGuard => {}
        }
        self
    }

    fn new_row(&mut self) -> Row {
        self.made += 1;
        Row {
            phone: self.rng.choice(PHONES).unwrap_or(PHONES[0]),
            amount: self.rng.choice(AMOUNTS).unwrap_or(AMOUNTS[0]),
            reference: format!("own-{}", self.made),
        }
    }

    /// Somebody edits the sheet, or does not.
    pub fn edit(&mut self) {
        match self.rng.u8(0..10) {
            0 => self.rng.shuffle(&mut self.rows),
            1 if self.rows.len() > 1 => {
                let gone = self.rng.usize(0..self.rows.len());
                self.rows.remove(gone);
            }
            2 => {
                let row = self.new_row();
                let place = self.rng.usize(0..=self.rows.len());
                self.rows.insert(place, row);
            }
            3 => {
                let made = self.new_row();
                let twin = self
                    .rng
                    .choice(&self.rows)
                    .cloned()
                    .unwrap_or_else(|| made.clone());
                self.rows.push(Row {
                    reference: made.reference,
                    ..twin
                });
            }
            _ => {}
        }
    }

    /// The sheet's bytes, saved in one of the ways in which spreadsheets save.
    pub fn sheet(&mut self) -> Vec<u8> {
        let separator = self.rng.choice([',', ';', '\t']).unwrap_or(',');
        let line_end = if self.rng.bool() { "\r\n" } else { "\n" };
        let bom = if self.rng.bool() { "\u{feff}" } else { "" };
        let mut text = String::from(bom);
        let mut line = |cells: &[&str]| {
            text.push_str(&cells.join(&separator.to_string()));
            text.push_str(line_end);
        };
        let width = if self.own_refs { 4 } else { 3 };
        line(&["phone", "plan", "amount", "ref"][..width]);
        for row in &self.rows {
            line(&[row.phone, PLAN, &row.amount.to_string(), &row.reference][..width]);
        }
        text.into_bytes()
    }

    /// The next scene and how its first process ends.
    pub fn scene(&mut self) -> (Scene, End) {
        if let Some(scene) = self.only {
            return (scene, End::None);
        }
        let scene = match self.rng.u8(0..10) {
            0..=4 => Scene::Batch,
            5 | 6 => Scene::TwoBatches,
            7 => Scene::SendBeside,
            8 => Scene::CheckBeside,
            _ => Scene::Send,
        };
        let end = match self.rng.u8(0..10) {
            0..=5 => End::Killed(self.rng.u64(0..120)),
            6 | 7 => End::Interrupted(Duration::from_millis(self.rng.u64(0..30_000))),
            _ => End::None,
        };
        (scene, end)
    }
}

/// The one plan of all sheets: what a plan is, is not at stake here.
pub const PLAN: &str = "PREPAID_DJEZZY";
