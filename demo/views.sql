ALTER STREAM flights SET WATERMARK FOR date AS date - INTERVAL '1 hour';

CREATE MATERIALIZED VIEW IF NOT EXISTS routes AS
SELECT origin, destination, count(*) AS flights, round(avg(delay), 1) AS avg_delay, max(delay) AS worst_delay
FROM flights
GROUP BY origin, destination;

CREATE MATERIALIZED VIEW IF NOT EXISTS top_routes AS
SELECT origin, destination, flights, avg_delay
FROM routes
ORDER BY flights DESC, origin, destination
LIMIT 10;

CREATE MATERIALIZED VIEW IF NOT EXISTS airport_hours AS
SELECT window_start AS hour, origin, count(*) AS departures, round(avg(delay), 1) AS avg_delay
FROM TUMBLE(flights, date, INTERVAL '1 hour')
GROUP BY window_start, window_end, origin;
