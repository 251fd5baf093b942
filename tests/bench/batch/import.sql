-- A yardstick: the ledger's orders with its indexes, for `.import` of a sheet by the `sqlite3` shell.
--
-- The shell fills the columns that a file does not have with NULL, and NULL is replaced by the default here: so the
-- rows are as long as the ledger's. The shell warns of that, row by row.
PRAGMA journal_mode = wal;
PRAGMA synchronous = full;

CREATE TABLE orders (
    phone       TEXT    NOT NULL,
    amount      INTEGER NOT NULL CHECK (amount > 0),
    plan        TEXT    NOT NULL,
    ref         TEXT    NOT NULL,
    account     TEXT    NOT NULL ON CONFLICT REPLACE DEFAULT '+213770000000',
    environment TEXT    NOT NULL ON CONFLICT REPLACE DEFAULT 'sandbox',
    state       TEXT    NOT NULL ON CONFLICT REPLACE DEFAULT 'planned',
    operator    TEXT    NOT NULL ON CONFLICT REPLACE DEFAULT 'Djezzy',
    cost        TEXT    NOT NULL ON CONFLICT REPLACE DEFAULT '496.25',
    batch_id    INTEGER NOT NULL ON CONFLICT REPLACE DEFAULT 1,
    created_at  INTEGER NOT NULL ON CONFLICT REPLACE DEFAULT 1767225600000,
    updated_at  INTEGER NOT NULL ON CONFLICT REPLACE DEFAULT 1767225600000,
    sent_at     INTEGER,
    is_open     INTEGER NOT NULL ON CONFLICT REPLACE DEFAULT 0,
    UNIQUE (ref, account, environment)
) STRICT;

CREATE INDEX orders_by_phone ON orders (CAST(phone AS INTEGER), sent_at);
CREATE INDEX orders_by_time ON orders (account, environment, created_at);
CREATE INDEX orders_by_sending ON orders (account, environment, sent_at);
CREATE INDEX orders_open ON orders (batch_id, sent_at) WHERE is_open = 1;
CREATE INDEX orders_not_open ON orders (batch_id, state) WHERE is_open = 0 AND batch_id IS NOT NULL;
CREATE INDEX orders_unknown ON orders (batch_id, sent_at) WHERE state = 'unknown';
