-- Readings: what the provider showed of a range, page by page, so that one that was cut off goes on where it stopped.
-- Money is in millionths of a dinar: whole numbers add up exactly.
CREATE TABLE readings (
    id          INTEGER PRIMARY KEY,
    account     TEXT    NOT NULL,
    environment TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    -- The range as it was asked for, so that the same command finds its reading again.
    asked       TEXT    NOT NULL,
    -- The range by our clock, and by the provider's.
    since       INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    their_since INTEGER NOT NULL,
    their_until INTEGER NOT NULL,
    begun_at    INTEGER NOT NULL,
    touched_at  INTEGER NOT NULL
) STRICT;

-- What is read of a list, and how far that is.
CREATE TABLE stretches (
    reading_id INTEGER NOT NULL REFERENCES readings (id),
    list       TEXT    NOT NULL CHECK (list IN ('orders', 'entries')),
    number     INTEGER NOT NULL,
    begins     INTEGER NOT NULL,
    ends       INTEGER NOT NULL,
    pass       INTEGER NOT NULL DEFAULT 1,
    next_page  INTEGER NOT NULL DEFAULT 1,
    -- How many rows the list has, as its pages say; whether they said so alike.
    total      INTEGER,
    has_moved  INTEGER NOT NULL DEFAULT 0,
    unreadable INTEGER NOT NULL DEFAULT 0,
    ended      TEXT CHECK (ended IN ('whole', 'unstable', 'missing')),
    PRIMARY KEY (reading_id, list, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE seen_orders (
    id         INTEGER PRIMARY KEY,
    reading_id INTEGER NOT NULL,
    key        TEXT    NOT NULL,
    stretch    INTEGER NOT NULL,
    pass       INTEGER NOT NULL,
    topup_id   TEXT,
    ref        TEXT,
    -- The ref without the provider's prefix.
    short_ref  TEXT,
    status     TEXT    NOT NULL,
    plan       TEXT,
    phone      TEXT,
    amount     INTEGER,
    cost       INTEGER,
    -- The same as the orders of the ledger spell it.
    cost_text  TEXT,
    created_at INTEGER,
    UNIQUE (reading_id, key)
) STRICT;

CREATE INDEX seen_orders_by_topup ON seen_orders (reading_id, topup_id);

CREATE TABLE seen_entries (
    id         INTEGER PRIMARY KEY,
    reading_id INTEGER NOT NULL,
    key        TEXT    NOT NULL,
    stretch    INTEGER NOT NULL,
    pass       INTEGER NOT NULL,
    place      INTEGER NOT NULL,
    word       TEXT    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('debit', 'refund', 'other')),
    -- 1 into the account, -1 out of it, 0 where nothing tells.
    sign       INTEGER NOT NULL,
    amount     INTEGER NOT NULL,
    before     INTEGER,
    after      INTEGER,
    subject    TEXT,
    at         INTEGER,
    UNIQUE (reading_id, key)
) STRICT;

-- Orders that this reading has moved: where they stood, and what they were expected to cost.
CREATE TABLE reading_moves (
    reading_id INTEGER NOT NULL,
    ref        TEXT    NOT NULL,
    from_state TEXT    NOT NULL,
    cost       TEXT,
    PRIMARY KEY (reading_id, ref)
) STRICT, WITHOUT ROWID;

-- What was asked about one by one, because no list shows it.
CREATE TABLE reading_answers (
    reading_id INTEGER NOT NULL,
    subject    TEXT    NOT NULL,
    answer     TEXT    NOT NULL CHECK (answer IN ('found', 'absent', 'unclear')),
    PRIMARY KEY (reading_id, subject)
) STRICT, WITHOUT ROWID;
