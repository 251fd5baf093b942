//! Place, schema and settings of the database; each setting is read back, since a silent refusal would cost money.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::error::LedgerError;
use super::owner::make_private_directory;

/// Marks the file as a ledger: `1CLK`.
const APPLICATION_ID: i64 = 0x3143_4C4B;
/// What a reader keeps of the database in memory.
const READER_CACHE_KIB: i64 = 512;
/// The pages of a new ledger: a batch fills them by the dozen, and each costs two writes. A ledger that is there keeps
/// those that it has.
const PAGE_BYTES: i64 = 8_192;
/// How many pages the log may hold before they are copied into the database: pages that change often are copied less.
const WAL_PAGES: i64 = 2_000;
/// How long one process waits for another's transaction.
const BUSY_WAIT: Duration = Duration::from_secs(15);
/// Between two tries of what the database does not wait for itself.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// What brings schema N to N + 1. Only ever appended to.
const MIGRATIONS: [&str; 8] = [
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
    include_str!("schema_8.sql"),
];

/// The newest schema known here.
fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Makes the directory (0700) and the file (0600), so that the database never makes them wider.
pub(super) fn prepare_place(path: &Path) -> Result<(), LedgerError> {
    let directory = directory_of(path);
    make_private_directory(directory).map_err(|error| LedgerError::at(path, error))?;
    if path.is_dir() {
        return Err(LedgerError::at(path, "it is a directory"));
    }
    if path.exists() {
        let is_made = check_header(path)?;
        make_private(path)?;
        if is_made {
            return Ok(());
        }
    } else {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| LedgerError::at(path, error))?;
        file.sync_all().map_err(|error| LedgerError::at(path, error))?;
    }
    sync_names(directory).map_err(|error| LedgerError::at(path, error))
}

/// The names themselves must outlive a power cut, not only what is in the file: that of the ledger, and that of every
/// directory above it, since any of them may be as new, made by this run or by one that was killed. A directory of
/// another filesystem is none that was made for the ledger.
#[cfg(unix)]
fn sync_names(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let directory = directory.canonicalize()?;
    let device = directory.metadata()?.dev();
    for above in directory.ancestors() {
        if above.metadata()?.dev() != device {
            return Ok(());
        }
        match File::open(above) {
            Ok(opened) => opened.sync_all()?,
            // Who may not read it has made nothing in it.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn sync_names(_directory: &Path) -> std::io::Result<()> {
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes the names of the ledger's files durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), LedgerError> {
    if cfg!(unix) {
        File::open(directory_of(path))
            .and_then(|directory| directory.sync_all())
            .map_err(|error| LedgerError::at(path, error))?;
    }
    Ok(())
}

/// What is read of a file before it is touched: the magic words, the schema's version, whose database it is.
const HEADER_BYTES: usize = 100;
/// How every database file begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Refuses what is surely no ledger of ours before the database engine changes a byte of it. Whether its making has
/// come to an end: it has not where the file is empty.
fn check_header(path: &Path) -> Result<bool, LedgerError> {
    let mut header = Vec::new();
    let file = File::open(path).map_err(|error| LedgerError::at(path, error))?;
    let length = file
        .metadata()
        .map_err(|error| LedgerError::at(path, error))?
        .len();
    let limit = u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX);
    file.take(limit)
        .read_to_end(&mut header)
        .map_err(|error| LedgerError::at(path, error))?;
    if header.is_empty() {
        return Ok(false);
    }
    let number = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(i32::from_be_bytes).map(i64::from)
    };
    let (Some(version), Some(mark), true) = (number(60), number(68), header.starts_with(MAGIC)) else {
        let why = "it is no database".to_owned();
        return Err(LedgerError::Damaged {
            path: path.display().to_string(),
            why,
        });
    };
    if version > newest() || version < 0 {
        return Err(LedgerError::Newer {
            path: path.display().to_string(),
            found: version,
            known: newest(),
        });
    }
    // What holds no table and no mark is a ledger whose making was cut short, or whose first pages were still on their
    // way out of the log when the power went: then the log knows more than the file does.
    let page = header
        .get(16..18)
        .map_or(0, |bytes| u64::from(bytes[0]) * 256 + u64::from(bytes[1]));
    let is_empty = number(40) == Some(0);
    let is_unmade = mark == 0 && version == 0 && is_empty && (length <= page.max(512) || has_log(path));
    if mark == APPLICATION_ID || is_unmade {
        Ok(!is_unmade)
    } else {
        Err(not_a_ledger(path))
    }
}

/// Whether a log with something in it stands beside the database.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// Only its owner may read or write the ledger, whatever it was made with.
#[cfg(unix)]
pub(super) fn make_private(path: &Path) -> Result<(), LedgerError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)
        .map_err(|error| LedgerError::at(path, error))?
        .permissions()
        .mode();
    let is_open_to_others = mode & 0o077 != 0;
    if !is_open_to_others {
        return Ok(());
    }
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, private).map_err(|error| LedgerError::at(path, error))
}

#[cfg(not(unix))]
pub(super) fn make_private(_path: &Path) -> Result<(), LedgerError> {
    Ok(())
}

/// Opens a connection with the settings that the promise stands on, and makes sure that they hold.
pub(super) fn connect(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| opening(path, &error))?;
    settle_in(&connection).map_err(|error| opening(path, &error))?;
    expect_settings(&connection, path)?;
    Ok(connection)
}

/// The settings that the promise stands on hold: a database refuses them without a word.
fn expect_settings(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let held: (String, i64, i64) = (|| {
        Ok((
            connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
            connection.pragma_query_value(None, "synchronous", |row| row.get(0))?,
            connection.pragma_query_value(None, "foreign_keys", |row| row.get(0))?,
        ))
    })()
    .map_err(|error| opening(path, &error))?;
    if held != ("wal".to_owned(), 2, 1) {
        return Err(LedgerError::at(
            path,
            format!("the database refuses its safety settings: {held:?}"),
        ));
    }
    Ok(())
}

/// A connection that reads here and there needs little of the database in memory.
pub(super) fn read_lightly(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)
}

fn settle_in(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    enter_wal(connection)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // A statement keeps its plan whatever values it is given: it is planned once.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Of two that turn the same new file to WAL at once, the database refuses one without waiting, whatever its timeout.
fn enter_wal(connection: &Connection) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        let entered = connection.pragma_update(None, "journal_mode", "wal");
        match &entered {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < BUSY_WAIT =>
            {
                std::thread::sleep(BUSY_PAUSE);
            }
            _ => return entered,
        }
    }
}

/// An error while opening, with the place; what is no database is told apart.
fn opening(path: &Path, error: &rusqlite::Error) -> LedgerError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => LedgerError::Damaged {
            path: path.display().to_string(),
            why: error.to_string(),
        },
        Some(ErrorCode::DiskFull) => LedgerError::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerError::Locked,
        _ => LedgerError::at(path, error),
    }
}

/// Brings the schema up to date in one transaction; refuses what is newer or somebody else's.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    let found = version(connection).map_err(|error| opening(path, &error))?;
    if found == newest() {
        return check_is_ours(connection, path);
    }
    // A table that others refer to is made anew under its old name: what refers to it is looked at once it stands there.
    connection.pragma_update(None, "foreign_keys", false)?;
    bring_up_to_date(connection, path)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    expect_settings(connection, path)
}

fn bring_up_to_date(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the lock: another process may have been faster.
    let found = version(&transaction)?;
    if found > newest() || found < 0 {
        return Err(LedgerError::Newer {
            path: path.display().to_string(),
            found,
            known: newest(),
        });
    }
    if found == 0 {
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables > 0 {
            return Err(not_a_ledger(path));
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    } else {
        check_is_ours(&transaction, path)?;
    }
    for migration in MIGRATIONS
        .iter()
        .skip(usize::try_from(found).unwrap_or(usize::MAX))
    {
        transaction.execute_batch(migration)?;
    }
    if transaction.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err(LedgerError::Damaged {
            path: path.display().to_string(),
            why: "it has rows that belong to orders or sheets that it does not have".to_owned(),
        });
    }
    transaction.pragma_update(None, "user_version", newest())?;
    transaction.commit()?;
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn check_is_ours(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let mark: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| opening(path, &error))?;
    if mark == APPLICATION_ID {
        Ok(())
    } else {
        Err(not_a_ledger(path))
    }
}

fn not_a_ledger(path: &Path) -> LedgerError {
    LedgerError::Damaged {
        path: path.display().to_string(),
        why: "it is a database of another program".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::{
        Account, Environment, Intent, Operator, Order, ProviderStatus, SettledBy, State, TopupId,
    };
    use crate::ledger::Ledger;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn a_new_ledger_is_private_and_opens_again() -> Outcome {
        let place = tempfile::tempdir()?;
        let path = place.path().join("deep/er/ledger.db");
        drop(Ledger::open(&path)?);
        drop(Ledger::open(&path)?);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).map(|data| data.permissions().mode() & 0o777);
            assert_eq!(mode(&path)?, 0o600);
            assert_eq!(mode(&place.path().join("deep/er"))?, 0o700);
        }
        Ok(())
    }

    #[test]
    fn a_newer_ledger_is_refused_and_left_alone() -> Outcome {
        let place = tempfile::tempdir()?;
        let path = place.path().join("ledger.db");
        drop(Ledger::open(&path)?);
        connect(&path)?.pragma_update(None, "user_version", newest() + 1)?;
        let refused = Ledger::open(&path).err();
        assert!(
            matches!(refused, Some(LedgerError::Newer { found, .. }) if found == newest() + 1),
            "{refused:?}"
        );
        Ok(())
    }

    /// The power went while the log was copied into the database for the first time: pages are there, the first one
    /// still is the old one.
    #[test]
    fn a_database_behind_its_log_is_a_ledger() -> Outcome {
        let place = tempfile::tempdir()?;
        let (path, copy) = (place.path().join("ledger.db"), place.path().join("copy.db"));
        let log = |path: &Path| path.with_extension("db-wal");
        let open = Ledger::open(&path)?;
        std::fs::copy(&path, &copy)?;
        std::fs::copy(log(&path), log(&copy))?;
        drop(open);
        OpenOptions::new().write(true).open(&copy)?.set_len(3 * 4096)?;
        drop(Ledger::open(&copy)?);
        Ok(())
    }

    #[test]
    fn a_foreign_database_behind_its_log_is_refused() -> Outcome {
        let place = tempfile::tempdir()?;
        let path = place.path().join("foreign.db");
        let foreign = Connection::open(&path)?;
        foreign.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE other (x)")?;
        assert!(matches!(Ledger::open(&path), Err(LedgerError::Damaged { .. })));
        let tables: i64 = foreign.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        assert_eq!(tables, 1);
        Ok(())
    }

    /// A ledger as the version before made it, with what `rows` puts into it.
    fn ledger_of_version_5(path: &Path, rows: &str) -> Outcome {
        let old = Connection::open(path)?;
        MIGRATIONS[..5]
            .iter()
            .try_for_each(|part| old.execute_batch(part))?;
        old.execute_batch(rows)?;
        old.pragma_update(None, "application_id", APPLICATION_ID)?;
        old.pragma_update(None, "user_version", 5)?;
        Ok(())
    }

    /// Every column of an order, each with another value, and a second order with next to nothing.
    const ORDERS_OF_VERSION_5: &str = "
        INSERT INTO batches (id, account, environment, label, created_at) VALUES (3, 'a', 'sandbox', 'november', 1000);
        INSERT INTO orders (id, account, environment, ref, state, phone, plan, operator, amount, cost, batch_id, row,
            provider_status, topup_id, provider_ref, attempts, message, offers, request_id, settled_by, note, again,
            owner, revision, created_at, updated_at, sent_at, their_at, charged)
        VALUES (7, 'a', 'sandbox', 'r-7', 'refunded', '0778037340', 'P', 'Djezzy', 500, '496.25', 3, 9, 'REFUNDED', 't-7',
            'API-a-r-7', 2, 'm', '[]', 'req-7', 'provider', 'n', 1, 'o', 4, 1001, 1002, 1003, 1004, '495');
        INSERT INTO orders (id, account, environment, ref, state, phone, plan, operator, amount, created_at, updated_at)
        VALUES (9, 'a', 'sandbox', 'r-9', 'planned', '0778037341', 'P', 'Djezzy', 100, 2001, 2002);
        INSERT INTO moves (order_id, at, to_state) VALUES (7, 1001, 'sending'), (9, 2001, 'planned');
        INSERT INTO attempts (order_id, endpoint, path, started_at) VALUES (7, 'send', '/v3/mobile/send', 1003);";

    /// The first of them, column by column.
    fn order_7() -> Order {
        fn read<T: std::str::FromStr>(text: &str) -> T {
            text.parse().unwrap_or_else(|_| panic!("{text}"))
        }
        let moment =
            |millisecond| Timestamp::from_millisecond(millisecond).unwrap_or_else(|error| panic!("{error}"));
        Order {
            account: Account {
                username: "a".to_owned(),
                environment: Environment::Sandbox,
            },
            intent: Intent {
                reference: read("r-7"),
                phone: read("0778037340"),
                plan: read("P"),
                amount: read("500"),
            },
            operator: Operator::Djezzy,
            state: State::Refunded,
            revision: 4,
            provider_status: Some(ProviderStatus::Refunded),
            topup_id: TopupId::new("t-7"),
            provider_ref: Some("API-a-r-7".to_owned()),
            cost: Some(read("496.25")),
            batch: Some("november".to_owned()),
            row: Some(9),
            attempts: 2,
            created_at: moment(1001),
            updated_at: moment(1002),
            sent_at: Some(moment(1003)),
            message: Some("m".to_owned()),
            offers: Vec::new(),
            request_id: Some("req-7".to_owned()),
            settled_by: Some(SettledBy::Provider),
            note: Some("n".to_owned()),
            owner: Some("o".to_owned()),
        }
    }

    #[test]
    fn the_orders_of_an_older_ledger_are_all_there_when_their_table_is_made_anew() -> Outcome {
        let place = tempfile::tempdir()?;
        let path = place.path().join("ledger.db");
        ledger_of_version_5(&path, ORDERS_OF_VERSION_5)?;
        // By their names: the columns may stand in another order.
        let columns = "id, account, environment, ref, state, phone, plan, operator, amount, cost, batch_id, row, \
             provider_status, topup_id, provider_ref, attempts, message, offers, request_id, settled_by, note, again, \
             owner, revision, created_at, updated_at, sent_at, their_at, charged";
        let all = |connection: &Connection| -> rusqlite::Result<Vec<Vec<rusqlite::types::Value>>> {
            let mut statement = connection.prepare(&format!("SELECT {columns} FROM orders ORDER BY id"))?;
            let width = statement.column_count();
            let rows = statement.query_map([], |row| (0..width).map(|column| row.get(column)).collect())?;
            rows.collect()
        };
        let before = all(&Connection::open(&path)?)?;
        // What has migrated it is what it is written with from then on.
        let mut now = connect(&path)?;
        migrate(&mut now, &path)?;
        assert_eq!(version(&now)?, newest());
        assert_eq!(all(&now)?, before);
        let count = |table: &str| -> rusqlite::Result<i64> {
            now.query_row(
                &format!("SELECT count(*) FROM {table} JOIN orders ON orders.id = order_id"),
                [],
                |row| row.get(0),
            )
        };
        assert_eq!((count("moves")?, count("attempts")?), (2, 1));
        assert_eq!(
            Ledger::open(&path)?.find(&order_7().account, &order_7().intent.reference)?,
            Some(order_7())
        );
        for forbidden in [
            "DELETE FROM orders",
            "UPDATE orders SET phone = '0'",
            "UPDATE orders SET state = 'accepted', is_open = 1 WHERE id = 7",
            "UPDATE orders SET state = 'fulfilled' WHERE id = 7",
            "UPDATE orders SET state = 'fulfilled', ended_as = 'fulfilled' WHERE id = 7",
            "UPDATE orders SET state = 'fulfilled', ended_as = NULL WHERE id = 7",
            "UPDATE orders SET ended_as = NULL WHERE id = 7",
            "UPDATE orders SET ended_as = 'fulfilled' WHERE id = 9",
            "UPDATE orders SET state = 'elsewhere' WHERE id = 9",
            "INSERT INTO attempts (order_id, endpoint, path, started_at) VALUES (8, 'send', '/', 1)",
        ] {
            assert!(now.execute_batch(forbidden).is_err(), "{forbidden}");
        }
        for state in State::ALL {
            let set = |is_open: bool| {
                let update = format!("UPDATE orders SET state = '{state}', is_open = {is_open} WHERE id = 9");
                let tried = now.execute_batch(&format!("SAVEPOINT try; {update}"));
                now.execute_batch("ROLLBACK TO try; RELEASE try").and(tried)
            };
            set(state.is_open())?;
            assert!(set(!state.is_open()).is_err(), "{state}");
        }
        Ok(())
    }

    #[test]
    fn an_older_ledger_that_lacks_an_order_is_refused_as_it_is() -> Outcome {
        let place = tempfile::tempdir()?;
        let path = place.path().join("ledger.db");
        ledger_of_version_5(
            &path,
            "PRAGMA foreign_keys = OFF; INSERT INTO moves (order_id, at, to_state) VALUES (7, 1001, 'sending')",
        )?;
        assert!(matches!(Ledger::open(&path), Err(LedgerError::Damaged { .. })));
        assert_eq!(version(&Connection::open(&path)?)?, 5);
        Ok(())
    }

    #[test]
    fn what_is_no_ledger_is_refused() -> Outcome {
        let place = tempfile::tempdir()?;
        let text = place.path().join("text.db");
        std::fs::write(&text, "phone,amount\n".repeat(500))?;
        assert!(matches!(Ledger::open(&text), Err(LedgerError::Damaged { .. })));
        let foreign = place.path().join("foreign.db");
        Connection::open(&foreign)?.execute_batch("CREATE TABLE other (x)")?;
        assert!(matches!(Ledger::open(&foreign), Err(LedgerError::Damaged { .. })));
        assert!(matches!(
            Ledger::open(place.path()),
            Err(LedgerError::Place { .. })
        ));
        Ok(())
    }
}
