CREATE TABLE orders (
    id              INTEGER PRIMARY KEY,
    account         TEXT    NOT NULL,
    environment     TEXT    NOT NULL CHECK (environment IN ('sandbox', 'production')),
    ref             TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('planned', 'sending', 'accepted', 'fulfilled', 'refunded',
                        'in_review', 'rejected', 'conflict', 'unknown', 'cancelled', 'written_off')),
    phone           TEXT    NOT NULL,
    plan            TEXT    NOT NULL,
    operator        TEXT    NOT NULL,
    amount          INTEGER NOT NULL CHECK (amount > 0),
    cost            TEXT,
    batch           TEXT,
    row             INTEGER,
    provider_status TEXT,
    topup_id        TEXT,
    provider_ref    TEXT,
    attempts        INTEGER NOT NULL DEFAULT 0,
    message         TEXT,
    offers          TEXT,
    request_id      TEXT,
    settled_by      TEXT,
    note            TEXT,
    owner           TEXT,
    revision        INTEGER NOT NULL DEFAULT 1,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    sent_at         INTEGER,
    UNIQUE (account, environment, ref)
) STRICT;

CREATE INDEX orders_by_phone ON orders (account, environment, phone, sent_at);
CREATE INDEX orders_by_time ON orders (account, environment, created_at);
CREATE INDEX orders_by_sending ON orders (account, environment, sent_at);
CREATE INDEX orders_open ON orders (account, environment, created_at)
    WHERE state IN ('sending', 'accepted', 'in_review', 'unknown');

CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY,
    order_id    INTEGER NOT NULL REFERENCES orders (id),
    endpoint    TEXT    NOT NULL,
    path        TEXT    NOT NULL,
    request     TEXT,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    http_status INTEGER,
    request_id  TEXT,
    answer      TEXT,
    outcome     TEXT
) STRICT;

CREATE INDEX attempts_by_order ON attempts (order_id);

CREATE TABLE moves (
    id         INTEGER PRIMARY KEY,
    order_id   INTEGER NOT NULL REFERENCES orders (id),
    at         INTEGER NOT NULL,
    from_state TEXT,
    to_state   TEXT    NOT NULL,
    why        TEXT
) STRICT;

CREATE INDEX moves_by_order ON moves (order_id);

-- An order is never deleted, and what was meant never changes.
CREATE TRIGGER orders_are_kept BEFORE DELETE ON orders
BEGIN
    SELECT RAISE (ABORT, 'an order is never deleted');
END;

CREATE TRIGGER intents_are_kept BEFORE UPDATE OF account, environment, ref, phone, plan, amount ON orders
BEGIN
    SELECT RAISE (ABORT, 'what was meant never changes');
END;

CREATE TRIGGER ends_are_kept BEFORE UPDATE OF state ON orders
    WHEN OLD.state IN ('fulfilled', 'refunded', 'written_off') AND NEW.state <> OLD.state
BEGIN
    SELECT RAISE (ABORT, 'an end is never rewritten');
END;

CREATE TABLE identities (
    fingerprint  TEXT    PRIMARY KEY,
    username     TEXT    NOT NULL,
    environment  TEXT    NOT NULL,
    validated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE catalogues (
    account     TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    fetched_at  INTEGER NOT NULL,
    plans       TEXT    NOT NULL,
    PRIMARY KEY (account, environment)
) STRICT;
