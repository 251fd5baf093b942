-- Which of the provider's orders is which of ours. One of ours is one of theirs.
CREATE TEMP TABLE pairs (seen INTEGER PRIMARY KEY, ours INTEGER NOT NULL UNIQUE);
-- Which order a line of the account is about: one that was seen, or one of ours that was not.
CREATE TEMP TABLE links (entry INTEGER PRIMARY KEY, seen INTEGER, ours INTEGER);
CREATE TEMP TABLE strays (entry INTEGER PRIMARY KEY, subject TEXT NOT NULL);
CREATE INDEX temp.strays_by_subject ON strays (subject);
-- What the account shows of an order.
CREATE TEMP TABLE moved (seen INTEGER PRIMARY KEY, debits INTEGER, refunds INTEGER, debited INTEGER, refunded INTEGER);
CREATE TEMP TABLE moved_ours (ours INTEGER PRIMARY KEY, debits INTEGER, refunds INTEGER, debited INTEGER, refunded INTEGER);
