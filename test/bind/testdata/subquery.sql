SELECT id FROM auction WHERE id IN (SELECT auction FROM bid)
;
SELECT id FROM auction WHERE id NOT IN (SELECT auction FROM bid)
;
SELECT id FROM auction WHERE EXISTS (SELECT 1 FROM bid WHERE price > 3)
;
SELECT id FROM auction a WHERE EXISTS (SELECT 1 FROM bid b WHERE b.auction = a.id AND b.price > 10)
;
SELECT id FROM auction a WHERE NOT EXISTS (SELECT 1 FROM bid b WHERE b.auction = a.id)
;
SELECT id, (SELECT max(price) FROM bid) FROM auction
;
SELECT id, (SELECT price FROM bid) FROM auction
;
SELECT (SELECT price FROM bid)
;
SELECT id, (SELECT max(price) FROM bid b WHERE b.auction = a.id) FROM auction a
;
SELECT id, (SELECT count(*) FROM bid b WHERE b.auction = a.id) FROM auction a
;
SELECT id FROM auction a WHERE category IN (SELECT price FROM bid b WHERE b.auction = a.id)
;
SELECT id, x FROM auction a, LATERAL (SELECT max(price) AS x FROM bid b WHERE b.auction = a.id)
;
SELECT id, (SELECT price FROM bid b WHERE b.auction = a.id ORDER BY price LIMIT 1) FROM auction a
;
SELECT id FROM auction a WHERE EXISTS (SELECT 1 FROM bid b WHERE b.auction = a.id AND EXISTS (SELECT 1 FROM person p WHERE p.id = b.bidder AND p.id = a.seller))
;
SELECT id FROM auction WHERE reserve > ALL (SELECT price FROM bid)
