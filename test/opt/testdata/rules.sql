-- conditions on one side go below, those on both become keys
SELECT b.price, a.item_name FROM bid b, auction a WHERE b.auction = a.id AND b.price > 10 AND a.category = 3
;
-- what all branches of an OR have in common is a key
SELECT b.price FROM bid b, auction a WHERE (b.auction = a.id AND b.price > 10) OR (b.auction = a.id AND a.category = 3)
;
-- a condition on the padded side makes an inner join
SELECT b.price FROM bid b LEFT JOIN auction a ON b.auction = a.id WHERE a.category = 3
;
SELECT b.price, a.category FROM bid b FULL JOIN auction a ON b.auction = a.id WHERE b.price > 3
;
SELECT b.price FROM bid b LEFT JOIN auction a ON b.auction = a.id AND a.category = 3 AND b.price > 5 WHERE a.category IS NULL
;
-- fallible conditions stay
SELECT b.price FROM bid b JOIN auction a ON b.auction = a.id WHERE b.extra::INT > 5 AND b.price > 3
;
SELECT x FROM (SELECT extra::INT AS x, price FROM bid) WHERE price > 3 AND x > 4
;
-- below groups
SELECT * FROM (SELECT bidder, count(*) AS n FROM bid GROUP BY bidder) WHERE bidder = 7 AND n > 3
;
-- below windows
SELECT window_end, count(*) FROM TUMBLE(bid, date_time, INTERVAL 10 SECONDS) WHERE auction = 7 GROUP BY window_end
;
-- through unions
SELECT * FROM (SELECT auction, price FROM bid UNION ALL SELECT id, reserve FROM auction) WHERE price > 100
;
SELECT auction FROM bid WHERE bidder NOT IN (SELECT count(*) FROM auction GROUP BY seller) AND bidder IS NOT NULL
;
SELECT auction FROM bid b WHERE EXISTS (SELECT 1 FROM auction a WHERE a.id = b.auction AND a.category = 3)
;
SELECT auction FROM bid b WHERE NOT EXISTS (SELECT 1 FROM auction a WHERE a.id = b.auction)
;
-- the rank is a limit, and not computed
SELECT auction, price FROM (SELECT *, rank() OVER (PARTITION BY auction ORDER BY price DESC) AS r FROM bid) WHERE r < 3 AND auction = 5
;
SELECT auction, price, r FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, bidder) AS r FROM bid) WHERE r = 2
;
SELECT DISTINCT ON (bidder) bidder, price FROM bid ORDER BY bidder, date_time DESC
;
-- shared
WITH x AS (SELECT auction, count(*) AS n FROM bid GROUP BY auction) SELECT a.auction, a.n FROM x a JOIN x b ON a.n = b.n + 1
;
SELECT count(*) FROM bid
;
SELECT s.name, b.price FROM bid b JOIN side s ON b.auction = s.id
;
SELECT s.id, s.name, t.name FROM side s JOIN side t ON s.price = t.id
;
SELECT auction FROM bid b WHERE bidder IN (SELECT seller FROM auction a WHERE a.id = b.auction)
;
SELECT id, (SELECT max(price) FROM bid b WHERE b.auction = a.id) FROM auction a
;
SELECT id, (SELECT count(*) FROM bid b WHERE b.auction = a.id) FROM auction a
;
SELECT id FROM auction a WHERE EXISTS (SELECT 1 FROM bid b WHERE b.auction = a.id AND EXISTS (SELECT 1 FROM person p WHERE p.id = b.bidder AND p.id = a.seller))
;
