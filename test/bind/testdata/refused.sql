SELECT random() FROM bid
;
SELECT auction,
  gen_random_uuid() FROM bid
;
SELECT unnest(l) FROM t
;
SELECT list_transform(l, x -> x + 1) FROM t
;
SELECT * FROM bid TABLESAMPLE 10%
;
SELECT * FROM range(10)
;
SELECT auction, pric FROM bid
;
SELECT auction + url FROM bid
;
SELECT foo(auction) FROM bid
;
SELECT auction FROM bid WHERE
;
SELECT rowid FROM bid
;
SELECT tz::TIMESTAMP_NS FROM t
;
SELECT current_time FROM t
;
SELECT sum(price) FROM bid GROUP BY sum(price)
;
SELECT 1; SELECT 2
;
DELETE FROM bid
;
PIVOT bid ON channel IN ('a', 'b') USING sum(price) GROUP BY auction
