//! Whether the provider has one order, where its list does not show it. Nothing in the ledger changes.

use super::look::{List, Sight};
use super::{Asked, Desk, asked_to_wait};
use crate::api::{Fault, read_data, read_seen};
use crate::domain::{Order, Seen, TopupId};

/// What was found of something that was asked about by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    /// It is there.
    Found(Box<Seen>),
    /// The provider says, in its own envelope, that it is not there.
    Absent,
    /// Nobody can tell.
    Unclear(String),
}

impl Desk {
    /// Asks for an order of ours by its id and by its ref.
    ///
    /// # Errors
    /// The key was refused, or somebody asks to stop.
    pub async fn seek(&self, order: &Order) -> std::result::Result<Sought, Asked> {
        let mut tries = 0;
        loop {
            let sight = self.stop.race(self.look(order, List::Never)).await;
            let (sought, pause) = match sight.map_err(Asked::Interrupted)? {
                Sight::Found(seen, _) | Sight::Foreign(_, seen, _) => return Ok(Sought::Found(seen)),
                Sight::Absent(_) => return Ok(Sought::Absent),
                Sight::Refused(auth, _) => return Err(Asked::Fault(Fault::Auth(auth))),
                Sight::Unclear(why, _) => (Sought::Unclear(why), self.pace.backoff(tries)),
                Sight::Wait(wait) => (
                    Sought::Unclear("the provider asks to wait".to_owned()),
                    asked_to_wait(wait, &self.pace),
                ),
            };
            tries += 1;
            if tries >= self.pace.retry_attempts {
                return Ok(sought);
            }
            self.stop.sleep(pause).await.map_err(Asked::Interrupted)?;
        }
    }

    /// Asks for an order by the provider's id.
    ///
    /// # Errors
    /// The key was refused, or somebody asks to stop.
    pub async fn seek_id(&self, id: &TopupId) -> std::result::Result<Sought, Asked> {
        let asked = super::ask(&self.pace, &self.stop, async || {
            self.client.check_id(id.as_str()).await
        })
        .await;
        match asked {
            Ok(exchange) => {
                let seen = read_data(&exchange).ok().and_then(read_seen);
                Ok(seen.map_or_else(
                    || Sought::Unclear("the answer names no status".to_owned()),
                    |seen| {
                        Sought::Found(Box::new(Seen {
                            id: seen.id.or_else(|| Some(id.clone())),
                            ..seen
                        }))
                    },
                ))
            }
            Err(Asked::Fault(Fault::NotFound)) => Ok(Sought::Absent),
            Err(Asked::Fault(Fault::Auth(auth))) => Err(Asked::Fault(Fault::Auth(auth))),
            Err(Asked::Fault(fault)) => Ok(Sought::Unclear(fault.describe())),
            Err(interrupted) => Err(interrupted),
        }
    }
}
