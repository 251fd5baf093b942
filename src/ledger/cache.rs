//! What the provider said about keys and plans, so that not every command has to ask again. The key itself is
//! never stored: a fingerprint stands for it.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, named_params};

use super::rows::millis;
use super::{Ledger, Result};
use crate::domain::{Account, KeyFingerprint};

/// Whose key a fingerprint stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdentity {
    /// The account and its environment.
    pub account: Account,
    /// When the provider said so.
    pub validated_at: Timestamp,
}

impl Ledger {
    /// Whose key it is, if the provider has said so before.
    pub fn identity(&self, fingerprint: &KeyFingerprint) -> Result<Option<StoredIdentity>> {
        let row: Option<(String, String, i64)> = self
            .reader()
            .prepare_cached(
                "SELECT username, environment, validated_at FROM identities WHERE fingerprint = ?1",
            )?
            .query_row([fingerprint.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        // What can't be understood is asked for again.
        Ok(row.and_then(|(username, environment, at)| {
            let account = Account {
                username,
                environment: environment.parse().ok()?,
            };
            Some(StoredIdentity {
                account,
                validated_at: Timestamp::from_millisecond(at).ok()?,
            })
        }))
    }

    /// Stores whose key it is.
    pub async fn store_identity(
        &self,
        fingerprint: &KeyFingerprint,
        account: &Account,
        at: Timestamp,
    ) -> Result<()> {
        let (fingerprint, account) = (fingerprint.clone(), account.clone());
        self.writer
            .write(move |connection| {
                connection.execute(
                    "INSERT OR REPLACE INTO identities VALUES (?1, ?2, ?3, ?4)",
                    (
                        fingerprint.as_str(),
                        &account.username,
                        account.environment.word(),
                        millis(at),
                    ),
                )?;
                Ok(())
            })
            .await
    }

    /// Whose key it is must be asked again: the provider has refused it. Until then its orders can still be looked at.
    pub async fn forget_identity(&self, fingerprint: &KeyFingerprint) -> Result<()> {
        let fingerprint = fingerprint.clone();
        self.writer
            .write(move |connection| {
                connection.execute(
                    "UPDATE identities SET validated_at = 0 WHERE fingerprint = ?1",
                    [fingerprint.as_str()],
                )?;
                Ok(())
            })
            .await
    }

    /// The catalogue of an account as it was stored, and when.
    pub fn catalogue(&self, account: &Account) -> Result<Option<(String, Timestamp)>> {
        let environment = account.environment.word();
        let row: Option<(String, i64)> = self
            .reader()
            .prepare_cached("SELECT plans, fetched_at FROM catalogues WHERE account = :account AND environment = :environment")?
            .query_row(named_params! {":account": account.username, ":environment": environment}, |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        Ok(row.and_then(|(plans, at)| Some((plans, Timestamp::from_millisecond(at).ok()?))))
    }

    /// Stores the catalogue of an account.
    pub async fn store_catalogue(&self, account: &Account, plans: String, at: Timestamp) -> Result<()> {
        let account = account.clone();
        self.writer
            .write(move |connection| {
                connection.execute(
                    "INSERT OR REPLACE INTO catalogues (account, environment, fetched_at, plans) VALUES (?1, ?2, ?3, ?4)",
                    (&account.username, account.environment.word(), millis(at), &plans),
                )?;
                Ok(())
            })
            .await
    }

    /// All stored catalogues, for the shell's completion.
    pub fn catalogues(&self) -> Result<Vec<String>> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached("SELECT plans FROM catalogues")?;
        let plans = statement
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(plans)
    }
}
