-- The provider's orders of the range beside ours, without those that plainly agree: 5000 is half a centime.
SELECT s.*, s.stretch > 0 AS is_listed, o.id AS ours, n.from_state, n.cost AS expected,
       coalesce(m.debits, 0) AS debits, coalesce(m.refunds, 0) AS refunds,
       coalesce(m.debited, 0) AS debited, coalesce(m.refunded, 0) AS refunded,
       o.id IS NULL AND EXISTS (
           SELECT 1 FROM orders AS t WHERE t.account = :account AND t.environment = :environment AND t.ref = s.short_ref
           AND (t.topup_id IS NOT NULL OR t.id IN (SELECT ours FROM pairs))
       ) AS is_twin
FROM seen_orders AS s
LEFT JOIN pairs AS p ON p.seen = s.id
LEFT JOIN orders AS o ON o.id = p.ours
LEFT JOIN moved AS m ON m.seen = s.id
LEFT JOIN reading_moves AS n ON n.reading_id = s.reading_id AND n.ref = o.ref
WHERE s.reading_id = :reading
  AND (s.created_at IS NULL OR (s.created_at >= :from AND s.created_at < :to)
       OR (o.sent_at >= :since AND o.sent_at < :until))
  AND NOT coalesce(
      n.ref IS NULL AND o.phone = s.phone AND o.plan = s.plan AND o.amount * 1000000 = s.amount
      AND ((o.state = 'fulfilled' AND s.status = 'FULFILLED' AND o.cost = s.cost_text
            AND (NOT :has_entries OR (m.debits = 1 AND m.refunds = 0 AND abs(m.debited - s.cost) <= 5000)))
        OR (o.state = 'refunded' AND s.status = 'REFUNDED'
            AND (NOT :has_entries OR (m.debits = 1 AND m.refunds = 1 AND abs(m.debited - m.refunded) <= 5000)))),
      0)
ORDER BY s.created_at, s.id
