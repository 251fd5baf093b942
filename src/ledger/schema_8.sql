-- What ends an order is told by a column of its own. A trigger on the state ran at every answer, and had a page copied
-- each time, to guard ends that answers do not touch.
ALTER TABLE orders ADD COLUMN ended_as TEXT CHECK (ended_as IS NULL OR ended_as = state);

DROP TRIGGER ends_are_kept;

UPDATE orders SET ended_as = state WHERE state = 'fulfilled' OR state = 'refunded' OR state = 'written_off';

CREATE TRIGGER ends_are_kept BEFORE UPDATE OF ended_as ON orders
    WHEN OLD.ended_as IS NOT NULL AND NEW.ended_as IS NOT OLD.ended_as
BEGIN
    SELECT RAISE (ABORT, 'an end is never rewritten');
END;

-- The moment alone finds its orders: a ledger has one account, or few, and each order that is made is put into both.
DROP INDEX orders_by_time;
DROP INDEX orders_by_sending;
CREATE INDEX orders_by_time ON orders (created_at);
CREATE INDEX orders_by_sending ON orders (sent_at);
