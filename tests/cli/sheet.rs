//! The language of the batch tests: a sheet in a file of the shop, saved as a spreadsheet would, and what its batch
//! must have paid.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::outcome::{Outcome, Running};
use crate::support::{OrFail, Shop};

/// Numbers and face values, and how often each was or is to be paid.
pub type Paid = BTreeMap<(String, u64), u64>;

/// A sheet; every change of it is saved at once.
pub struct Sheet<'shop> {
    shop: &'shop Shop,
    name: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    separator: char,
    mark: &'static str,
    line_end: &'static str,
}

/// The number of the customer on row `row` of a long sheet, none twice.
pub fn number(row: u32) -> String {
    format!("0770{row:06}")
}

fn cells(line: &str) -> Vec<String> {
    line.split(',').map(str::to_owned).collect()
}

impl Shop {
    /// A sheet of `phone,amount` without rows yet.
    pub fn sheet(&self, name: &str) -> Sheet<'_> {
        Sheet {
            shop: self,
            name: name.to_owned(),
            header: cells("phone,amount"),
            rows: Vec::new(),
            separator: ',',
            mark: "",
            line_end: "\n",
        }
        .saved()
    }

    /// Runs `oneclick batch` with these words.
    pub fn batch(&self, words: &[&str]) -> Outcome<'_> {
        self.run(&[&["batch"], words].concat())
    }

    /// Types a line into a shell that finds `oneclick`.
    pub fn shell(&self, line: &str) -> Outcome<'_> {
        let mut shell = std::process::Command::new("/bin/sh");
        let model = self.command(&[]);
        let variables = model.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let programs = PathBuf::from(crate::support::BINARY);
        let programs = programs.parent().or_fail("the binary is nowhere").display();
        shell
            .env_clear()
            .envs(variables)
            .env("PATH", format!("{programs}:/usr/bin:/bin"))
            .current_dir(self.home())
            .stdin(std::process::Stdio::null())
            .args(["-c", line]);
        let output = shell.output().or_fail("there is no /bin/sh");
        Outcome::new(self, &[line], &output)
    }

    /// The text of a file of the shop.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.home().join(name)).or_fail(name)
    }

    /// The records of a CSV file of the shop below its header, each by column; `csv` reads it, not our own reader.
    #[track_caller]
    pub fn records(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let text = self.read(name);
        let text = text
            .strip_prefix('\u{feff}')
            .or_fail("the file has no mark of UTF-8");
        let header = text.lines().next().unwrap_or_default();
        let separator = if header.contains(';') { b';' } else { b',' };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .from_reader(text.as_bytes());
        reader.deserialize().map(|record| record.or_fail(name)).collect()
    }

    /// How many orders are in each state, as the ledger has it.
    #[track_caller]
    pub fn states(&self) -> BTreeMap<String, u64> {
        let mut states = BTreeMap::new();
        for state in self.ledger().into_values() {
            *states.entry(state).or_default() += 1;
        }
        states
    }

    /// Looks at the ledger until `holds`; panics when that takes more than ten seconds.
    #[track_caller]
    pub fn await_states(&self, what: &str, holds: impl Fn(&BTreeMap<String, u64>) -> bool) {
        let started = std::time::Instant::now();
        while !holds(&self.states()) {
            assert!(started.elapsed().as_secs() < 10, "never seen: {what}");
        }
    }

    /// What the provider was paid for.
    pub fn paid(&self) -> Paid {
        let books = self.books();
        let mut paid = Paid::new();
        for (_, order) in books.0["accepted"].as_object().into_iter().flatten() {
            let phone = order["phone"]
                .as_str()
                .or_fail("an order without a number")
                .to_owned();
            let amount = order["amount"].as_u64().or_fail("an order without an amount");
            *paid.entry((phone, amount)).or_default() += order["count"].as_u64().unwrap_or_default();
        }
        paid
    }
}

impl<'shop> Sheet<'shop> {
    /// Names the columns: `phone,amount,ref`.
    #[must_use]
    pub fn columns(mut self, header: &str) -> Self {
        self.header = cells(header);
        self.saved()
    }

    /// Adds a row of cells: `0778037340,500`.
    #[must_use]
    pub fn row(self, row: &str) -> Self {
        self.row_of(&row.split(',').collect::<Vec<_>>())
    }

    /// Adds a row of cells that hold commas.
    #[must_use]
    pub fn row_of(mut self, row: &[&str]) -> Self {
        self.rows
            .push(row.iter().map(|cell| (*cell).to_owned()).collect());
        self.saved()
    }

    /// Adds a row of 100 dinars for each of so many customers.
    #[must_use]
    pub fn customers(mut self, count: u32) -> Self {
        self.rows
            .extend((0..count).map(|row| vec![number(row), "100".to_owned()]));
        self.saved()
    }

    /// Takes out the row at a place, from 0.
    #[must_use]
    pub fn without(mut self, place: usize) -> Self {
        self.rows.remove(place);
        self.saved()
    }

    /// Writes another row in the place of one.
    #[must_use]
    pub fn mended(mut self, place: usize, row: &str) -> Self {
        self.rows[place] = cells(row);
        self.saved()
    }

    /// As somebody sorts it from the last customer to the first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.rows.sort();
        self.rows.reverse();
        self.saved()
    }

    /// As Excel saves `CSV UTF-8` on a French system.
    #[must_use]
    pub fn saved_by_excel(mut self) -> Self {
        (self.separator, self.mark, self.line_end) = (';', "\u{feff}", "\r\n");
        self.saved()
    }

    /// The same rows under another name.
    #[must_use]
    pub fn copied(&self, name: &str) -> Self {
        Self {
            shop: self.shop,
            name: name.to_owned(),
            header: self.header.clone(),
            rows: self.rows.clone(),
            ..*self
        }
        .saved()
    }

    /// The bytes of the file.
    pub fn text(&self) -> String {
        let quoted = |cell: &String| {
            if cell.contains([self.separator, '"', '\n']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.clone()
            }
        };
        let line = |row: &Vec<String>| {
            let row: Vec<_> = row.iter().map(quoted).collect();
            row.join(&self.separator.to_string()) + self.line_end
        };
        let lines = std::iter::once(&self.header).chain(&self.rows).map(line);
        self.mark.to_owned() + &lines.collect::<String>()
    }

    fn saved(self) -> Self {
        fs::write(self.shop.home().join(&self.name), self.text()).or_fail("the sheet can't be saved");
        self
    }

    fn words<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["batch", &self.name], more].concat()
    }

    /// Runs its batch with these words and no others.
    pub fn typed(&self, more: &[&str]) -> Outcome<'shop> {
        self.shop.run(&self.words(more))
    }

    /// Runs its batch, shown as JSON.
    pub fn batch(&self, more: &[&str]) -> Outcome<'shop> {
        self.typed(&[more, &["-o", "json"]].concat())
    }

    /// Sends it with consent.
    pub fn send(&self) -> Outcome<'shop> {
        self.batch(&["--yes"])
    }

    /// Starts to send it with consent, and leaves it running.
    pub fn start(&self, more: &[&str]) -> Running<'shop> {
        self.shop
            .start(&[&self.words(more)[..], &["--yes", "-o", "json"]].concat())
    }

    /// What must be paid for it, row by row.
    pub fn due(&self) -> Paid {
        let place = |name: &str| {
            let found = self.header.iter().position(|column| column == name);
            found.or_fail("the sheet has no such column")
        };
        let (phone, amount) = (place("phone"), place("amount"));
        let mut due = Paid::new();
        for row in &self.rows {
            let amount = row[amount].parse().or_fail("an amount that is no number");
            *due.entry((row[phone].clone(), amount)).or_default() += 1;
        }
        due
    }

    /// The books show each row once, and nothing else.
    #[track_caller]
    pub fn expect_each_paid_once(&self) {
        let (paid, due) = (self.shop.paid(), self.due());
        assert!(
            paid == due,
            "paid and not due: {:?}; due and not paid: {:?}",
            difference(&paid, &due),
            difference(&due, &paid)
        );
        self.shop.books().expect_no_doubles();
        self.shop.expect_whole_log();
    }

    /// The results file says of every row what the books say of it.
    #[track_caller]
    pub fn expect_true_results(&self) {
        let (books, name) = (self.shop.books(), self.results());
        let records = self.shop.records(&name);
        for record in &records {
            let order = &books.0["accepted"][&record["ref"]];
            let there = (order["status"].as_str(), order["topup_id"].as_str());
            let here = (
                Some(record["state"].to_uppercase()),
                Some(record["topup_id"].as_str()),
            );
            assert_eq!((there.0, there.1), (here.0.as_deref(), here.1), "{record:?}");
            assert_eq!(order["amount"].to_string(), record["amount"], "{record:?}");
        }
        let mut refs: Vec<_> = records.iter().map(|record| record["ref"].clone()).collect();
        let mut booked = books.refs();
        refs.sort();
        booked.sort();
        assert_eq!(refs, booked, "rows of {name} and orders in the books");
    }

    /// The name of its results file.
    pub fn results(&self) -> String {
        let stem = self.name.trim_end_matches(".csv");
        format!("{stem}.results.csv")
    }
}

fn difference(one: &Paid, other: &Paid) -> Paid {
    let differs = |(row, count): &(&(String, u64), &u64)| other.get(row) != Some(count);
    one.iter()
        .filter(differs)
        .map(|(row, count)| (row.clone(), *count))
        .collect()
}

impl Outcome<'_> {
    /// The number of rows in a state, as the summary tells it.
    #[track_caller]
    pub fn rows(&self, state: &str) -> u64 {
        self.json()["states"][state].as_u64().unwrap_or_default()
    }

    /// The command that goes on, as the summary tells it.
    #[track_caller]
    pub fn next(&self) -> String {
        let next = self.json()["next"].as_str().map(Value::from);
        let next = next.or_fail(&format!("no command goes on\n{self:?}"));
        next.as_str().unwrap_or_default().to_owned()
    }

    /// So many POSTs have reached the provider, all in all.
    #[track_caller]
    pub fn expect_posts(self, posts: u64) -> Self {
        let books = self.books();
        assert_eq!(books.calls("send"), posts, "{self:?}\n{}", books.0);
        self
    }

    /// The error's hints hold this text.
    #[track_caller]
    pub fn expect_hint(self, text: &str) -> Self {
        let hints = self.error()["hints"].to_string();
        assert!(hints.contains(text), "`{text}` is no hint\n{self:?}");
        self
    }
}
