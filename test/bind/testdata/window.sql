SELECT * FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND)
;
SELECT bid.auction, window_start, count(*) FROM tumble(bid, bid.date_time, INTERVAL 1 MINUTE, INTERVAL 5 SECOND) GROUP BY ALL
;
SELECT h.auction, h.window_end FROM HOP(public.bid, date_time, INTERVAL '2' SECOND, INTERVAL '10 seconds') AS h
;
SELECT count(*), window_start FROM CUMULATE(bid, date_time, INTERVAL '1 hour', INTERVAL 1 DAY) GROUP BY window_start
;
SELECT * FROM SESSION((SELECT *, price % 10 AS k FROM bid), date_time, INTERVAL '20 seconds', [k, auction])
;
SELECT count(*) FROM SESSION(bid, date_time, INTERVAL 30 MINUTES) s GROUP BY window_start, window_end
;
SELECT window_start, sum(price) FROM COUNT_WINDOW(bid, 100, ARRAY[auction]) GROUP BY ALL
;
SELECT window_start FROM COUNT_WINDOW(bid, 100)
;
WITH b AS (SELECT auction, date_time AS ts FROM bid WHERE price > 3) SELECT b.auction, window_end FROM TUMBLE(b, ts, INTERVAL 1 HOUR)
;
SELECT * FROM TUMBLE(big_bids, date_time, INTERVAL 1 HOUR)
;
SELECT * FROM TUMBLE(renamed, "Top"::TIMESTAMP, INTERVAL 1 HOUR)
;
SELECT auction, window_start, window_end, sum(n) FROM HOP(per_minute, window_time, INTERVAL 5 MINUTES, INTERVAL 1 HOUR) GROUP BY ALL
;
SELECT max(n), window_start, window_end FROM TUMBLE((SELECT auction, window_time, count(*) n FROM TUMBLE(bid, date_time, INTERVAL 1 MINUTE) GROUP BY ALL), window_time, INTERVAL 1 HOUR) GROUP BY ALL
;
SELECT auction, n, window_start FROM TUMBLE(per_minute, window_start, INTERVAL 1 HOUR)
;
SELECT a.auction, b.id FROM TUMBLE(bid, date_time, INTERVAL 1 MINUTE) a JOIN TUMBLE(auction, date_time, INTERVAL 1 MINUTE) b ON a.window_start = b.window_start AND a.auction = b.id
;
SELECT * FROM TUMBLE(t, tz, INTERVAL 1 DAY) x(p, q)
;
SELECT *
FROM TUMBLE(bid, date_tim, INTERVAL '10' SECOND)
;
SELECT * FROM TUMBLE(bid, price, INTERVAL '10' SECOND)
;
SELECT * FROM TUMBLE(bid, date_time + INTERVAL 1 HOUR, INTERVAL '10' SECOND)
;
SELECT * FROM TUMBLE(bid, date_time, INTERVAL 1 MONTH)
;
SELECT * FROM TUMBLE(bid, date_time, INTERVAL 0 SECOND)
;
SELECT * FROM TUMBLE(bid, date_time, INTERVAL (price) SECOND)
;
SELECT * FROM TUMBLE(bid, date_time)
;
SELECT * FROM TUMBLE(biid, date_time, INTERVAL 1 SECOND)
;
SELECT * FROM TUMBLE('bid', date_time, INTERVAL 1 SECOND)
;
SELECT * FROM CUMULATE(bid, date_time, INTERVAL 2 SECOND, INTERVAL 5 SECOND)
;
SELECT * FROM HOP(bid, date_time, INTERVAL 10 SECOND, INTERVAL 5 SECOND)
;
SELECT * FROM SESSION(bid, date_time, INTERVAL 1 HOUR, [auction + 1])
;
SELECT * FROM TUMBLE((SELECT * FROM
  HOP(bid, date_tme, INTERVAL 1 SECOND, INTERVAL 5 SECOND)), date_time, INTERVAL 1 HOUR)
;
SELECT * FROM TUMBLE(bid, date_time, 10)
;
SELECT auction FROM TUMBLE(bid, date_time, '10 seconds')
;
SELECT auction FROM TUMBLE(bid, date_time, price)
;
SELECT window_end FROM COUNT_WINDOW(bid, 1.5)
;
SELECT window_end FROM COUNT_WINDOW(bid, 'x')
;
SELECT auction, window_time FROM TUMBLE(Bid, Date_Time, INTERVAL (1 + 1) HOUR)
;
SELECT a.id FROM auction a WHERE EXISTS (SELECT 1 FROM TUMBLE(bid, date_time, INTERVAL 1 HOUR) w WHERE w.auction = a.id AND w.window_end > a.expires)
;
SELECT x.auction FROM (SELECT * FROM TUMBLE(bid, date_time, INTERVAL 1 HOUR) UNION ALL SELECT * FROM TUMBLE(bid, date_time, INTERVAL 1 HOUR)) x
