CREATE MATERIALIZED VIEW per_second AS
SELECT key, window_start, count(*) AS n, sum(val) AS total
FROM TUMBLE(pairs, ts, INTERVAL 1 SECOND)
GROUP BY key, window_start;
