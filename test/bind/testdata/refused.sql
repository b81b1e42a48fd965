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
SELECT $1 FROM bid
;
SELECT b::ENUM('x', 'y') FROM t
;
SELECT * FROM bid, unnest([1, 2])
;
SELECT sum(c) OVER w, row_number() OVER w FROM t WINDOW w AS (PARTITION BY a)
;
SELECT b COLLATE NOCASE FROM t ORDER BY b COLLATE NOCASE LIMIT 1
;
SELECT * FROM TUMBLE(bid, date_time, INTERVAL 1 HOUR) AS x(a, b, c, d, e, f, g, ws, we) WHERE ws > TIMESTAMP '2020-01-01'
;
DELETE FROM bid
;
PIVOT bid ON channel IN ('a', 'b') USING sum(price) GROUP BY auction
