//! One writer thread with group commit: whatever waits is done in one transaction, each job in a savepoint of
//! its own, and nobody hears of success before the commit has returned.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::LedgerError;

/// The most jobs in one transaction: bounds how long the first one waits.
const JOBS_MAX: usize = 1024;
/// A commit of so many jobs shows that many come.
const BUSY_FROM: usize = 8;
/// How long a commit waits for further jobs while many come.
const GATHERING: Duration = Duration::from_millis(1);

/// Sends jobs to the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    #[cfg(test)]
    stepwise: Option<stepwise::Stepwise>,
}

impl Writer {
    /// Starts the thread, which owns the connection from now on.
    pub fn start(connection: Connection) -> Result<Self, LedgerError> {
        let (jobs, waiting) = channel();
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || run(&connection, &waiting))
            .map_err(|error| LedgerError::Storage(error.to_string()))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            #[cfg(test)]
            stepwise: None,
        })
    }

    /// Without a thread: each job commits alone, in the task that asks for it, and each commit is a step of a life.
    #[cfg(test)]
    pub fn stepwise(connection: Connection, life: crate::promise::Life) -> Self {
        Self {
            jobs: None,
            thread: None,
            stepwise: Some(stepwise::Stepwise::new(connection, life)),
        }
    }

    /// Does `work` in the next transaction and returns what it gave once that has been committed. What it has written
    /// when it fails is taken back.
    pub async fn write<T, W>(&self, work: W) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        self.send(work, false).await
    }

    /// The same for work that has written nothing when it fails with [`LedgerError::Stale`] or
    /// [`LedgerError::Illegal`]: it needs no savepoint. Any other failure of it fails the whole transaction.
    pub async fn write_whole<T, W>(&self, work: W) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        self.send(work, true).await
    }

    async fn send<T, W>(&self, work: W, is_whole: bool) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        #[cfg(test)]
        if let Some(stepwise) = &self.stepwise {
            return stepwise.write(work, is_whole).await;
        }
        let gone = || LedgerError::Storage("the writer has stopped".to_owned());
        let (reply, answer) = oneshot::channel();
        let job = Box::new(TypedJob {
            work: Some(work),
            given: None,
            reply,
            is_whole,
        });
        self.jobs
            .as_ref()
            .and_then(|jobs| jobs.send(job).ok())
            .ok_or_else(gone)?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // What was waiting is committed before the thread ends; a panic in it has been told to its caller.
            let _ = thread.join();
        }
    }
}

/// A piece of work whose type only its caller knows.
trait Job: Send {
    /// Whether it needs no savepoint.
    fn is_whole(&self) -> bool;
    fn run(&mut self, connection: &Connection) -> Result<(), LedgerError>;
    fn finish(self: Box<Self>, committed: Result<(), LedgerError>);
}

struct TypedJob<T, W> {
    work: Option<W>,
    given: Option<Result<T, LedgerError>>,
    reply: oneshot::Sender<Result<T, LedgerError>>,
    is_whole: bool,
}

impl<T, W> Job for TypedJob<T, W>
where
    T: Send,
    W: FnOnce(&Connection) -> Result<T, LedgerError> + Send,
{
    fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn run(&mut self, connection: &Connection) -> Result<(), LedgerError> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        let given = work(connection);
        let outcome = given.as_ref().map(|_| ()).map_err(Clone::clone);
        self.given = Some(given);
        outcome
    }

    fn finish(self: Box<Self>, committed: Result<(), LedgerError>) {
        let never_run = || Err(LedgerError::Storage("the transaction was given up".to_owned()));
        let answer = match (self.given, committed) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(given)), Ok(())) => Ok(given),
            (None, Ok(())) => never_run(),
        };
        // Nobody waits any more: the work is committed all the same.
        let _ = self.reply.send(answer);
    }
}

fn run(connection: &Connection, waiting: &Receiver<Box<dyn Job>>) {
    let mut is_busy = false;
    while let Ok(first) = waiting.recv() {
        let mut jobs = vec![first];
        gather(&mut jobs, waiting, is_busy);
        is_busy = jobs.len() >= BUSY_FROM;
        let committed = commit_together(connection, &mut jobs);
        for job in jobs {
            job.finish(committed.clone());
        }
    }
}

/// Whatever waits joins the first job. While many come, a moment more brings more of them into the same commit; where
/// few come, nobody waits for others.
fn gather(jobs: &mut Vec<Box<dyn Job>>, waiting: &Receiver<Box<dyn Job>>, is_busy: bool) {
    let until = Instant::now() + GATHERING;
    while jobs.len() < JOBS_MAX {
        let next = match waiting.try_recv() {
            Ok(job) => Some(job),
            Err(_) if is_busy => waiting
                .recv_timeout(until.saturating_duration_since(Instant::now()))
                .ok(),
            Err(_) => None,
        };
        match next {
            Some(job) => jobs.push(job),
            None => return,
        }
    }
}

fn commit_together(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), LedgerError> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let committed = run_each(connection, jobs).and_then(|()| {
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    });
    if committed.is_err() && !connection.is_autocommit() {
        // Nothing of it may stay behind in the next transaction.
        let _ = connection.execute_batch("ROLLBACK");
    }
    committed
}

fn run_each(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), LedgerError> {
    for job in jobs {
        if job.is_whole() {
            match job.run(connection) {
                Ok(()) | Err(LedgerError::Stale(_) | LedgerError::Illegal(_)) => continue,
                Err(error) => return Err(error),
            }
        }
        connection.prepare_cached("SAVEPOINT job")?.execute([])?;
        let outcome = job.run(connection);
        if let Err(error) = outcome {
            // A full disk ends the whole transaction by itself: then none of its jobs has happened.
            if connection.is_autocommit() {
                return Err(error);
            }
            connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
        }
        connection.prepare_cached("RELEASE job")?.execute([])?;
    }
    Ok(())
}

#[cfg(test)]
mod stepwise {
    //! The writer of the proof: the same transactions, one at a time, with a step before and behind each.

    use std::sync::{Mutex, PoisonError};

    use super::{Connection, Job, LedgerError, TypedJob, commit_together, oneshot, run_each};
    use crate::promise::{Life, Rule, holds};

    /// Says that it is committed, and commits when the next job comes.
    fn commit_late(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), LedgerError> {
        if !connection.is_autocommit() {
            connection.execute_batch("COMMIT")?;
        }
        connection.execute_batch("BEGIN IMMEDIATE")?;
        run_each(connection, jobs)
    }

    #[derive(Debug)]
    pub struct Stepwise {
        connection: Mutex<Connection>,
        life: Life,
    }

    impl Stepwise {
        pub fn new(connection: Connection, life: Life) -> Self {
            Self {
                connection: Mutex::new(connection),
                life,
            }
        }

        pub async fn write<T, W>(&self, work: W, is_whole: bool) -> Result<T, LedgerError>
        where
            T: Send + 'static,
            W: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
        {
            self.life.step().await;
            let (reply, answer) = oneshot::channel();
            let job: Box<dyn Job> = Box::new(TypedJob {
                work: Some(work),
                given: None,
                reply,
                is_whole,
            });
            self.commit(job);
            let answer = answer.await;
            self.life.step().await;
            answer.unwrap_or_else(|_| Err(LedgerError::Storage("no answer".to_owned())))
        }

        fn commit(&self, job: Box<dyn Job>) {
            let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let mut jobs = [job];
            let committed = if holds(Rule::WrittenFirst) {
                commit_together(&connection, &mut jobs)
            } else {
                commit_late(&connection, &mut jobs)
            };
            for job in jobs {
                job.finish(committed.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Result<Writer, LedgerError> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)")?;
        Writer::start(connection)
    }

    #[tokio::test]
    async fn a_failed_job_leaves_its_neighbours_alone() -> Result<(), LedgerError> {
        let writer = table()?;
        let insert = |x: i64| {
            writer.write(move |connection| {
                connection.execute("INSERT INTO t VALUES (?1)", [x])?;
                if x == 2 { Err(LedgerError::Full) } else { Ok(x) }
            })
        };
        let (one, two, three) = tokio::join!(insert(1), insert(2), insert(3));
        assert_eq!((one, two, three), (Ok(1), Err(LedgerError::Full), Ok(3)));
        let count = writer
            .write(|c| Ok(c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))?))
            .await;
        assert_eq!(count, Ok(2));
        Ok(())
    }

    #[tokio::test]
    async fn a_transaction_that_ends_under_its_jobs_fails_them_all() -> Result<(), LedgerError> {
        let writer = table()?;
        let fine = writer.write(|c| Ok(c.execute("INSERT INTO t VALUES (7)", [])?));
        let broken = writer.write(|c| {
            c.execute_batch("ROLLBACK")?;
            Err::<(), _>(LedgerError::Full)
        });
        let (fine, broken) = tokio::join!(fine, broken);
        assert!(broken.is_err());
        let count = writer
            .write(|c| Ok(c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))?))
            .await;
        assert_eq!(count, Ok(i64::from(fine.is_ok())));
        Ok(())
    }
}
