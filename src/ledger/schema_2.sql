-- Batches: a label, and the sheet that it was last planned from. A row of a sheet becomes an order when it is
-- claimed, in the transaction that writes it as `sending`; until then it is planned and stands in `sheet_rows` alone.
CREATE TABLE batches (
    id          INTEGER PRIMARY KEY,
    account     TEXT    NOT NULL,
    environment TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    label       TEXT    NOT NULL,
    sheet_id    INTEGER REFERENCES sheets (id),
    created_at  INTEGER NOT NULL,
    -- The file of rows to be retried as it was last written: for which orders, and its bytes.
    retried     TEXT,
    UNIQUE (account, environment, label)
) STRICT;

CREATE TABLE sheets (
    id         INTEGER PRIMARY KEY,
    batch_id   INTEGER NOT NULL REFERENCES batches (id),
    file       TEXT    NOT NULL,
    header     TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    rows       INTEGER NOT NULL,
    face       INTEGER NOT NULL,
    -- Rows that are orders of no batch or of another one: under refs of the caller's own.
    elsewhere  INTEGER NOT NULL DEFAULT 0,
    -- Whether every row of the file was planned: then the same file again needs no second look.
    is_whole   INTEGER NOT NULL,
    -- Rows up to this one have been claimed, or were orders before.
    next_row   INTEGER NOT NULL DEFAULT 0,
    planned_at INTEGER NOT NULL,
    -- The results file as it was last written whole: where, how long, and of how many ended orders.
    results    TEXT
) STRICT;

CREATE INDEX sheets_by_batch ON sheets (batch_id);

CREATE TABLE sheet_rows (
    sheet_id INTEGER NOT NULL,
    row      INTEGER NOT NULL,
    ref      TEXT    NOT NULL,
    phone    TEXT    NOT NULL,
    plan     TEXT    NOT NULL,
    operator TEXT    NOT NULL,
    amount   INTEGER NOT NULL CHECK (amount > 0),
    cost     TEXT,
    note     TEXT,
    cells    TEXT    NOT NULL,
    -- Whether a repeat has been consented to.
    again    INTEGER NOT NULL,
    -- The order that it was before the sheet was planned; none for a row that is still to be sent.
    order_id INTEGER,
    -- Whether a claim has passed it over because its guard did not hold.
    is_held  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sheet_id, row)
) STRICT, WITHOUT ROWID;

CREATE INDEX sheet_rows_held ON sheet_rows (sheet_id) WHERE is_held = 1;

ALTER TABLE orders ADD COLUMN batch_id INTEGER;
ALTER TABLE orders ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
-- When the request was made, by the provider's clock: what its list is searched by.
ALTER TABLE orders ADD COLUMN their_at INTEGER;
ALTER TABLE orders DROP COLUMN batch;

CREATE INDEX orders_by_batch ON orders (batch_id, state, row) WHERE batch_id IS NOT NULL;

-- Sweeps walk what is open in the order in which it was sent.
DROP INDEX orders_open;
CREATE INDEX orders_open ON orders (account, environment, sent_at)
    WHERE state IN ('sending', 'accepted', 'in_review', 'unknown');
