//! Asking with patience: reads may be repeated, a POST never is.

use std::time::Duration;

use super::{ASKED_TO_WAIT_MAX, Pace, asked_to_wait};
use crate::api::{Exchange, Fault, read_data};
use crate::stop::{Signal, Stop};

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The provider, or the way to it.
    Fault(Fault),
    /// Asked to stop.
    Interrupted(Signal),
}

/// Asks until there is an answer, a fault that asking again won't mend, or no patience left: `retry_attempts`
/// tries with a doubling pause. Being told to wait uses up no try, but ends after five minutes.
pub async fn ask(pace: &Pace, stop: &Stop, question: impl AsyncFn() -> Exchange) -> Result<Exchange, Asked> {
    let (mut tries, mut waited) = (0, Duration::ZERO);
    loop {
        let exchange = stop.race(question()).await.map_err(Asked::Interrupted)?;
        let Err(fault) = read_data(&exchange) else {
            return Ok(exchange);
        };
        let pause = match &fault {
            Fault::Wait(wait) => {
                let pause = asked_to_wait(*wait, pace);
                waited += pause;
                (waited <= ASKED_TO_WAIT_MAX).then_some(pause)
            }
            passing if passing.is_passing() => {
                tries += 1;
                (tries < pace.retry_attempts).then(|| pace.backoff(tries - 1))
            }
            _ => None,
        };
        match pause {
            Some(pause) => stop.sleep(pause).await.map_err(Asked::Interrupted)?,
            None => return Err(Asked::Fault(fault)),
        }
    }
}
