-- a stream without a watermark: nothing is late, nothing is freed
SELECT window_start, window_end, k, count(*) FROM TUMBLE(plain, ts, INTERVAL 1 MINUTE) GROUP BY ALL
;
SELECT window_start, window_end, k, count(*) FROM TUMBLE(plain, ts, INTERVAL 1 MINUTE) GROUP BY ALL
EMIT
;
SELECT window_end, auction, count(*) AS n FROM HOP(bid, date_time, INTERVAL 2 SECONDS, INTERVAL 10 SECONDS) GROUP BY ALL
EMIT
;
-- grouping by the time is no window
SELECT date_time, count(*) FROM bid GROUP BY ALL
EMIT
;
-- an interval join
SELECT b.auction, c.seller, b.date_time FROM bid b JOIN auction c ON b.auction = c.id AND b.date_time >= c.date_time AND b.date_time < c.date_time + INTERVAL 10 SECONDS
;
-- the preserved side's test is part of the condition
SELECT b.auction, p.name, b.date_time FROM bid b LEFT JOIN person p ON b.bidder = p.id AND p.date_time BETWEEN b.date_time - INTERVAL 1 HOUR AND b.date_time
EMIT
;
-- windows of what an interval join gives
SELECT window_end, count(*) FROM TUMBLE((SELECT b.auction, b.date_time AS bt FROM bid b JOIN person p ON b.bidder = p.id
  AND p.date_time BETWEEN b.date_time - INTERVAL 1 HOUR AND b.date_time), bt, INTERVAL 10 SECONDS) GROUP BY ALL
;
SELECT window_end, count(*) FROM TUMBLE((SELECT b.auction, b.date_time AS bt FROM bid b LEFT JOIN person p ON b.bidder = p.id
  AND p.date_time BETWEEN b.date_time - INTERVAL 1 HOUR AND b.date_time), bt, INTERVAL 10 SECONDS) GROUP BY ALL
;
-- windows behind an unbounded join: the greatest watermark of the parents
SELECT window_end, p.city, count(*) FROM TUMBLE((SELECT b.date_time, p.city FROM bid b JOIN person p ON b.bidder = p.id), date_time, INTERVAL 10 SECONDS) p GROUP BY ALL
;
-- a table never frees, and is never late
SELECT window_end, name, count(*) FROM TUMBLE((SELECT b.date_time, s.name FROM bid b JOIN side s ON b.auction = s.id), date_time, INTERVAL 10 SECONDS) GROUP BY ALL
;
-- windows of windows
SELECT window_end, max(n) FROM TUMBLE((SELECT window_end AS e, auction, count(*) n FROM TUMBLE(bid, date_time, INTERVAL 1 SECOND) GROUP BY ALL), e, INTERVAL 1 MINUTE) GROUP BY ALL
EMIT
;
-- sessions
SELECT bidder, window_start, window_end, count(*) FROM SESSION(bid, date_time, INTERVAL 5 SECONDS, [bidder]) GROUP BY ALL
;
-- a ranking by window
SELECT * FROM (SELECT auction, price, window_end, row_number() OVER (PARTITION BY window_end ORDER BY price DESC) AS rn FROM TUMBLE(bid, date_time, INTERVAL 10 SECONDS)) WHERE rn <= 3
;
-- a window's time with a time zone
SELECT window_end, sum(price) FROM TUMBLE(click, date_time, INTERVAL 1 MINUTE) GROUP BY ALL
;
-- a join of windows; the left side is preserved
SELECT a.auction, b.id FROM TUMBLE(bid, date_time, INTERVAL 10 SECONDS) a LEFT JOIN TUMBLE(auction, date_time, INTERVAL 10 SECONDS) b ON a.auction = b.id AND a.window_end = b.window_end
;
-- late by union
SELECT window_end, count(*) FROM TUMBLE((SELECT date_time FROM bid UNION ALL SELECT date_time FROM auction), date_time, INTERVAL 10 SECONDS) GROUP BY ALL
;
SELECT DISTINCT window_start, bidder FROM CUMULATE(bid, date_time, INTERVAL 10 SECONDS, INTERVAL 1 MINUTE)
;
-- the preserved side is final, the other carries the watermark
SELECT window_end, count(*) FROM TUMBLE((SELECT w.e, b.price FROM (SELECT window_end AS e, auction, count(*) FROM TUMBLE(bid, date_time, INTERVAL 1 SECOND) GROUP BY ALL) w
  LEFT JOIN click b ON w.auction = b.bidder), e, INTERVAL 1 MINUTE) GROUP BY ALL
;
-- deduplicated, then counted per window: late rows go, state stays
SELECT window_end, count(*) FROM TUMBLE((SELECT DISTINCT ON (bidder) bidder, date_time FROM bid ORDER BY bidder, date_time), date_time, INTERVAL 10 SECONDS) GROUP BY ALL
;
-- nothing closes behind an unbounded join
SELECT b.date_time, p.name FROM bid b LEFT JOIN person p ON b.bidder = p.id
EMIT
;
SELECT b.date_time, p.name FROM bid b JOIN person p ON b.bidder = p.id AND p.date_time BETWEEN b.date_time AND b.date_time + INTERVAL 1 HOUR
EMIT
;
