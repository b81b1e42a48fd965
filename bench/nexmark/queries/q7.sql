CREATE MATERIALIZED VIEW q7 AS
SELECT b.auction, b.price, b.bidder, b.date_time
FROM bid b
JOIN (
  SELECT max(price) AS highest, window_end AS closed
  FROM TUMBLE(bid, date_time, INTERVAL 10 SECONDS)
  GROUP BY window_start, window_end
) w
ON b.price = w.highest
WHERE b.date_time BETWEEN w.closed - INTERVAL 10 SECONDS AND w.closed;
