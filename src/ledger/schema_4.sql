-- What the provider had taken for an order that it paid back: its own answer about a refunded order says 0.
ALTER TABLE orders ADD COLUMN charged TEXT;

-- Reports look for money that came back on a day, whenever its order was sent.
CREATE INDEX orders_refunded ON orders (account, environment, updated_at) WHERE state = 'refunded';

-- What clashes is on the desk until somebody has settled it.
CREATE INDEX orders_clashing ON orders (account, environment, created_at) WHERE state = 'conflict';
