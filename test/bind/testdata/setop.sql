SELECT auction FROM bid UNION ALL SELECT id FROM auction UNION ALL SELECT id FROM person
;
SELECT auction, price FROM bid UNION SELECT a, c FROM t
;
SELECT auction FROM bid EXCEPT SELECT id FROM auction
;
SELECT auction FROM bid INTERSECT SELECT id FROM auction
;
SELECT auction FROM bid EXCEPT ALL SELECT id FROM auction
;
SELECT auction FROM bid INTERSECT ALL SELECT id FROM auction
;
SELECT auction, price FROM bid UNION ALL BY NAME SELECT id AS auction FROM auction
;
WITH x AS (SELECT auction, count(*) c FROM bid GROUP BY 1) SELECT x.auction, y.c FROM x JOIN x y ON x.c = y.c + 1
;
WITH bid AS (SELECT * FROM bid WHERE price > 1), y(k) AS (SELECT auction FROM bid) SELECT * FROM y, public.bid
;
WITH RECURSIVE r AS (SELECT 1 x UNION ALL SELECT x + 1 FROM r WHERE x < 10) SELECT * FROM r
;
SELECT * FROM big_bids
;
SELECT r.a, "Top", b.price FROM renamed r, big_bids b
;
SELECT * FROM renamed AS x(p, q)
;
SELECT * FROM loop
;
SELECT *
FROM broken
;
SELECT * FROM
 broken_name
;
SELECT * FROM biid
;
SELECT * FROM other.bid
