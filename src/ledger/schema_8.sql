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
