//! Two threads for work in two steps: one makes portions, the other takes them.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, ScopedJoinHandle};

/// Portions that may wait to be taken: memory stays flat.
const AHEAD: usize = 2;

/// Makes portions here until there are no more, and takes them in a thread of their own, in their order; the first two are
/// taken here, and all of them where no thread is to be had. False where `take` has put an end to it: what is made behind
/// that is dropped, and so is an error of `make`.
///
/// # Errors
/// That of `take`; where it has none, that of `make`. A portion alone before an error of `make` is not taken.
pub fn run<P, E>(
    make: impl FnMut() -> Result<Option<P>, E>,
    take: impl FnMut(P) -> Result<bool, E> + Send,
) -> Result<bool, E>
where
    P: Send,
    E: Send,
{
    run_in(Builder::new(), make, take)
}

fn run_in<P, E>(
    thread: Builder,
    mut make: impl FnMut() -> Result<Option<P>, E>,
    mut take: impl FnMut(P) -> Result<bool, E> + Send,
) -> Result<bool, E>
where
    P: Send,
    E: Send,
{
    if let Some(ended) = first_two(&mut make, &mut take)? {
        return Ok(ended);
    }
    let (making, taking) = (&mut make, &mut take);
    let ended = std::thread::scope(|scope| {
        let (handed, portions) = sync_channel(AHEAD);
        let taken = thread.spawn_scoped(scope, move || take_all(portions, taking));
        let taken = taken.ok()?;
        let ended = make_all(making, handed);
        Some(match joined(taken) {
            Ok(true) => ended.map(|()| true),
            taken => taken,
        })
    });
    ended.unwrap_or_else(|| do_here(&mut make, &mut take))
}

/// The same the other way round: portions are made in a thread of their own and taken here. For what takes much memory
/// while it takes: a thread that has ended gives none of that back to the others.
///
/// # Errors
/// The same.
pub fn run_ahead<P, E>(
    mut make: impl FnMut() -> Result<Option<P>, E> + Send,
    mut take: impl FnMut(P) -> Result<bool, E>,
) -> Result<bool, E>
where
    P: Send,
    E: Send,
{
    if let Some(ended) = first_two(&mut make, &mut take)? {
        return Ok(ended);
    }
    let (making, taking) = (&mut make, &mut take);
    let ended = std::thread::scope(|scope| {
        let (handed, portions) = sync_channel(AHEAD);
        let thread = Builder::new().spawn_scoped(scope, move || make_all(making, handed));
        let thread = thread.ok()?;
        Some(match take_all(portions, taking) {
            Ok(true) => joined(thread).map(|()| true),
            taken => taken,
        })
    });
    ended.unwrap_or_else(|| do_here(&mut make, &mut take))
}

/// Whether it ends with the first two portions, and how: for one alone no thread is worth its while.
fn first_two<P, E>(
    make: &mut impl FnMut() -> Result<Option<P>, E>,
    take: &mut impl FnMut(P) -> Result<bool, E>,
) -> Result<Option<bool>, E> {
    let Some(first) = make()? else {
        return Ok(Some(true));
    };
    let Some(second) = make()? else {
        return take(first).map(Some);
    };
    let goes_on = take(first)? && take(second)?;
    Ok((!goes_on).then_some(false))
}

fn do_here<P, E>(
    make: &mut impl FnMut() -> Result<Option<P>, E>,
    take: &mut impl FnMut(P) -> Result<bool, E>,
) -> Result<bool, E> {
    while let Some(portion) = make()? {
        if !take(portion)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn make_all<P, E>(make: &mut impl FnMut() -> Result<Option<P>, E>, handed: SyncSender<P>) -> Result<(), E> {
    while let Some(portion) = make()? {
        // Whoever takes has stopped where nobody listens any more, and says why.
        if handed.send(portion).is_err() {
            break;
        }
    }
    drop(handed);
    Ok(())
}

/// What the thread has come to; its panic is one of all.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    let ended = thread.join();
    ended.unwrap_or_else(|fallen| std::panic::resume_unwind(fallen))
}

fn take_all<P, E>(portions: Receiver<P>, take: &mut impl FnMut(P) -> Result<bool, E>) -> Result<bool, E> {
    for portion in portions {
        if !take(portion)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// So many portions, made one by one; an error in the place of one of them.
    fn made(count: u32, fails_at: u32) -> impl FnMut() -> Result<Option<u32>, String> + Send {
        let mut next = 0;
        move || {
            next += 1;
            if next == fails_at {
                return Err("made no more".to_owned());
            }
            Ok((next <= count).then_some(next))
        }
    }

    /// What is taken of so many portions, and how it ends: whichever of the two steps has a thread of its own.
    fn taken(
        count: u32,
        make_fails_at: u32,
        take: impl Fn(u32) -> Result<bool, String> + Sync,
    ) -> (Vec<u32>, Result<bool, String>) {
        let apart = taken_in(Builder::new(), count, make_fails_at, &take);
        let mut ahead = Vec::new();
        let ended = run_ahead(made(count, make_fails_at), |portion| {
            ahead.push(portion);
            take(portion)
        });
        assert_eq!((ahead, ended), apart);
        apart
    }

    fn taken_in(
        thread: Builder,
        count: u32,
        make_fails_at: u32,
        take: impl Fn(u32) -> Result<bool, String> + Sync,
    ) -> (Vec<u32>, Result<bool, String>) {
        let mut taken = Vec::new();
        let ended = run_in(thread, made(count, make_fails_at), |portion| {
            taken.push(portion);
            take(portion)
        });
        (taken, ended)
    }

    fn took_no_more() -> Result<bool, String> {
        Err("took no more".to_owned())
    }

    #[test]
    fn every_portion_is_taken_once_and_in_order() {
        for count in [0, 1, 2, 3, 100] {
            let (taken, ended) = taken(count, u32::MAX, |_| Ok(true));
            assert_eq!(taken, (1..=count).collect::<Vec<_>>());
            assert_eq!(ended, Ok(true));
        }
    }

    #[test]
    fn it_ends_where_the_taking_ends() {
        for end in [1, 2, 3, 50] {
            let (stopped, ended) = taken(100, u32::MAX, |portion| Ok(portion < end));
            let expected = usize::try_from(end).unwrap_or_default();
            assert_eq!((stopped.len(), ended), (expected, Ok(false)));
            let failing = |portion| {
                if portion < end { Ok(true) } else { took_no_more() }
            };
            assert_eq!(taken(100, u32::MAX, failing).1, took_no_more());
        }
    }

    #[test]
    fn what_was_made_before_an_error_is_taken() {
        for end in [1, 2, 3, 50] {
            let (taken, ended) = taken(100, end, |_| Ok(true));
            assert_eq!(ended, Err("made no more".to_owned()));
            // Of the first two none is taken before both are there.
            let expected = if end <= 2 { 0 } else { end - 1 };
            assert_eq!(taken.len(), usize::try_from(expected).unwrap_or_default());
        }
    }

    #[test]
    fn an_end_of_the_taking_stands_before_an_error_of_the_making() {
        assert_eq!(taken(100, 4, |portion| Ok(portion < 3)).1, Ok(false));
        assert_eq!(taken(100, 4, |_| took_no_more()).1, took_no_more());
    }

    /// No system has so large a stack to give.
    #[test]
    fn where_no_thread_is_to_be_had_everything_is_done_here() {
        let without = |make_fails_at, end| {
            let thread = Builder::new().stack_size(usize::MAX / 4);
            taken_in(thread, 100, make_fails_at, |portion| Ok(portion < end))
        };
        assert_eq!(without(u32::MAX, u32::MAX), ((1..=100).collect(), Ok(true)));
        for end in [1, 2, 3, 50] {
            assert_eq!(without(u32::MAX, end), ((1..=end).collect(), Ok(false)));
        }
        let (taken, ended) = without(50, u32::MAX);
        assert_eq!((taken.len(), ended), (49, Err("made no more".to_owned())));
    }

    #[test]
    fn few_portions_wait_for_one_that_is_being_taken() {
        let count = AtomicU32::new(0);
        let make = || {
            let nth = count.fetch_add(1, Ordering::SeqCst) + 1;
            Ok::<_, String>((nth <= 50).then_some(nth))
        };
        let mut most = 0;
        let ended = run(make, |portion| {
            most = most.max(count.load(Ordering::SeqCst) - portion);
            Ok(true)
        });
        assert_eq!(ended, Ok(true));
        // Those that wait, one that can't be handed over, and the end.
        assert!(most <= 4, "{most}");
    }

    #[test]
    #[should_panic(expected = "fallen while taking")]
    fn a_panic_of_the_taking_is_one_of_all() {
        let _ = taken(100, u32::MAX, |portion| {
            assert!(portion < 3, "fallen while taking");
            Ok(true)
        });
    }
}
