SELECT auction FROM bid ORDER BY price
;
SELECT auction FROM bid ORDER BY price DESC NULLS FIRST, auction LIMIT 3 OFFSET 2
;
SELECT auction + 1 AS x FROM bid ORDER BY x LIMIT 10
;
SELECT auction
FROM bid LIMIT 3
;
SELECT count(*) FROM bid LIMIT 1
;
SELECT auction FROM bid ORDER BY price LIMIT (SELECT 3)
;
SELECT auction FROM bid ORDER BY price LIMIT 10%
;
SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS r, rank() OVER (ORDER BY price) AS k, dense_rank() OVER (ORDER BY price) FROM bid QUALIFY r <= 3
;
SELECT * FROM (SELECT auction, row_number() OVER (PARTITION BY auction ORDER BY date_time) AS n FROM bid) WHERE n = 1
;
SELECT auction, sum(price) OVER (PARTITION BY auction) FROM bid
;
SELECT auction, lag(price) OVER (ORDER BY date_time) FROM bid
