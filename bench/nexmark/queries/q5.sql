CREATE MATERIALIZED VIEW q5 AS
SELECT hot.auction, hot.num
FROM (
  SELECT auction, count(*) AS num, window_start, window_end
  FROM HOP(bid, date_time, INTERVAL 2 SECONDS, INTERVAL 10 SECONDS)
  GROUP BY auction, window_start, window_end
) hot
JOIN (
  SELECT max(num) AS most, window_start, window_end
  FROM (
    SELECT count(*) AS num, window_start, window_end
    FROM HOP(bid, date_time, INTERVAL 2 SECONDS, INTERVAL 10 SECONDS)
    GROUP BY auction, window_start, window_end
  ) counts
  GROUP BY window_start, window_end
) top
ON hot.window_start = top.window_start AND hot.window_end = top.window_end AND hot.num >= top.most;
