-- The audit log. What moves money is in `moves` already, written in the transaction that makes it; an act says who has
-- done it and how. Lines of the file beside the ledger are made of these rows, and of nothing else.
CREATE TABLE acts (
    id          INTEGER PRIMARY KEY,
    -- The last move before it: acts and moves share one sequence.
    after_move  INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    event       TEXT    NOT NULL,
    user        TEXT,
    uid         INTEGER,
    host        TEXT    NOT NULL,
    pid         INTEGER NOT NULL,
    version     TEXT    NOT NULL,
    command     TEXT    NOT NULL,
    profile     TEXT,
    account     TEXT,
    environment TEXT,
    overrides   TEXT    NOT NULL,
    why         TEXT
) STRICT;

-- None for moves from before there were acts.
ALTER TABLE moves ADD COLUMN act_id INTEGER;
ALTER TABLE moves ADD COLUMN request_id TEXT;

-- How far the file is written: its lines, the hash of the last one, its length; and the last rows that are in it.
CREATE TABLE audit_head (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    n       INTEGER NOT NULL,
    hash    TEXT    NOT NULL,
    bytes   INTEGER NOT NULL,
    move_id INTEGER NOT NULL,
    act_id  INTEGER NOT NULL
) STRICT;

INSERT INTO audit_head VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000', 0, 0, 0);

-- What has happened stays as it was written.
CREATE TRIGGER moves_are_kept BEFORE DELETE ON moves
BEGIN
    SELECT RAISE (ABORT, 'a move is never deleted');
END;

CREATE TRIGGER moves_never_change BEFORE UPDATE ON moves
BEGIN
    SELECT RAISE (ABORT, 'a move never changes');
END;

CREATE TRIGGER acts_are_kept BEFORE DELETE ON acts
BEGIN
    SELECT RAISE (ABORT, 'an act is never deleted');
END;

CREATE TRIGGER acts_never_change BEFORE UPDATE ON acts
BEGIN
    SELECT RAISE (ABORT, 'an act never changes');
END;
