//! Two threads for work in two steps: one makes portions, the other takes them.

use std::sync::mpsc::sync_channel;

/// Portions that may wait to be taken: memory stays flat.
const AHEAD: usize = 2;

/// Makes portions here until there are no more, and takes them in a thread of their own, in their order; a single one is
/// taken here. False where `take` has put an end to it: what is made behind that is dropped.
///
/// # Errors
/// The first error of either side; where both have one, that of `take`.
pub fn run<P, E>(
    mut make: impl FnMut() -> Result<Option<P>, E>,
    mut take: impl FnMut(P) -> Result<bool, E> + Send,
) -> Result<bool, E>
where
    P: Send,
    E: Send,
{
    let Some(first) = make()? else { return Ok(true) };
    let Some(second) = make()? else { return take(first) };
    let (handed, portions) = sync_channel(AHEAD);
    std::thread::scope(|scope| {
        let taking = scope.spawn(move || {
            for portion in [first, second].into_iter().chain(portions) {
                if !take(portion)? {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        let making = loop {
            match make() {
                Ok(Some(portion)) => {
                    // Whoever takes has stopped where nobody listens any more, and says why.
                    if handed.send(portion).is_err() {
                        break Ok(());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        drop(handed);
        let taken = taking
            .join()
            .unwrap_or_else(|fallen| std::panic::resume_unwind(fallen));
        match (taken, making) {
            (Ok(true), Err(error)) => Err(error),
            (taken, _) => taken,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is taken of so many portions, and how it ends.
    fn taken(
        count: u32,
        make_fails_at: u32,
        take: impl Fn(u32) -> Result<bool, String> + Sync,
    ) -> (Vec<u32>, Result<bool, String>) {
        let (mut next, mut taken) = (0, Vec::new());
        let make = || {
            next += 1;
            if next == make_fails_at {
                return Err("made no more".to_owned());
            }
            Ok((next <= count).then_some(next))
        };
        let ended = run(make, |portion| {
            taken.push(portion);
            take(portion)
        });
        (taken, ended)
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
            assert_eq!(
                (stopped.len(), ended),
                (usize::try_from(end).unwrap_or_default(), Ok(false))
            );
            let failing = |portion| {
                if portion < end {
                    Ok(true)
                } else {
                    Err("took no more".to_owned())
                }
            };
            let (_, ended) = taken(100, u32::MAX, failing);
            assert_eq!(ended, Err("took no more".to_owned()));
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
}
