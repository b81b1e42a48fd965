SELECT b.price, a.id FROM bid b JOIN auction a ON b.auction = a.id AND b.price > a.reserve AND b.date_time BETWEEN a.date_time AND a.expires
;
SELECT b.price, a.id FROM bid b LEFT JOIN auction a ON b.auction = a.id AND a.category = 3
;
SELECT b.price, a.id FROM bid b RIGHT JOIN auction a ON b.auction = a.id
;
SELECT b.price, a.id FROM bid b FULL JOIN auction a ON b.auction = a.id
;
SELECT b.price, a.id FROM bid b, auction a WHERE b.auction = a.id
;
SELECT * FROM bid JOIN (SELECT id AS auction, category FROM auction) USING (auction)
;
SELECT b.price FROM bid b SEMI JOIN auction a ON b.auction = a.id
;
SELECT b.price FROM bid b ANTI JOIN auction a ON b.auction = a.id
;
SELECT b.price, a.id FROM bid b LEFT JOIN auction a ON b.auction = a.id AND (b.price = 1 OR a.category = 2)
;
SELECT b.price, a.id FROM bid b FULL JOIN auction a ON b.auction < a.id
;
SELECT b.price, a.id FROM bid b JOIN auction a ON b.auction IS NOT DISTINCT FROM a.id
;
SELECT x.price, y.price FROM bid x JOIN bid y ON x.price + 1 = y.price
;
SELECT * FROM bid CROSS JOIN (SELECT max(id) FROM auction)
;
SELECT * FROM bid b ASOF JOIN auction a ON b.auction = a.id AND b.date_time >= a.date_time
;
SELECT * FROM bid POSITIONAL JOIN auction
;
SELECT t.a FROM t JOIN bid ON t.a = bid.auction
