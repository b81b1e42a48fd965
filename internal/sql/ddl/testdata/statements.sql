SELECT 1; -- one
select 'a;b', "c;d", $$e;f$$, E'\';' /* ; /* ; */ */ from t;
----
CREATE STREAM orders (id BIGINT NOT NULL, "userId" VARCHAR PATH '$.user.id', ts TIMESTAMP WITH TIME ZONE, price DECIMAL( 10 , 2 ), s STRUCT(a INT, "b c" VARCHAR[]), version INT, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) PARTITION BY (id) WITH (ttl = '7 days', idle = 0, partitions = 4, closed = true, description = 'it''s')
----
create or replace table airports (iata varchar primary key, name text path '$."full name"', v bigint, version v)
----
CREATE TABLE IF NOT EXISTS t (a INT, b INT, PRIMARY KEY (a, b)) WITH (ttl = INTERVAL (90) MINUTES)
----
CREATE TABLE t (a INT)
----
CREATE STREAM s (a INT) WITH (tll = '1h')
----
CREATE STREAM s (a INT) WITH (ttl = '1 month')
----
CREATE STREAM s (ts INT, WATERMARK FOR ts)
----
CREATE STREAM s (order INT)
----
CREAT STREAM s (a INT)
----
CREATE STREAM s (a INTT)
----
CREATE VIEW v (a, b) AS SELECT 1, 2;
CREATE MATERIALIZED VIEW m AS SELECT * FROM v EMIT ON WINDOW CLOSE;
CREATE ENDPOINT busiest (state VARCHAR DEFAULT 'CA', n INT DEFAULT -10, x DATE DEFAULT NULL, y INT) WITH (description = 'd') AS SELECT $state LIMIT $n
----
CREATE ENDPOINT e (format INT) AS SELECT 1
----
ALTER STREAM s RENAME TO t, RENAME a TO b, ALTER COLUMN c SET DATA TYPE DOUBLE, ADD COLUMN IF NOT EXISTS d INT PATH '$.x', DROP IF EXISTS e, SET EVENT TIME ts, DROP EVENT TIME, SET WATERMARK FOR ts AS ts - INTERVAL 5 SECONDS, DROP WATERMARK, SET (ttl = '10s'), RESET (idle)
----
ALTER VIEW v RENAME TO w
----
ALTER VIEW v ADD a INT
----
DROP STREAM IF EXISTS a, b RESTRICT; DROP TABLE c CASCADE
----
SHOW STREAMS; SHOW ALL; SHOW CREATE orders; DESCRIBE orders; DESCRIBE SELECT 1; EXPLAIN SELECT 2
----
INSERT INTO s (a, b) VALUES (1, 'x'), ($p, ?); INSERT INTO s SELECT * FROM t
----
INSERT INTO s VALUES (1) ON CONFLICT DO NOTHING
----
DELETE FROM t WHERE k = 1 AND k2 = $v; DELETE FROM t WHERE k IN ('a', ?, ?); DELETE FROM t WHERE (a, b) IN ((1, -2), (3, DATE '2024-01-01'))
----
DELETE FROM t
----
DELETE FROM t WHERE k > 1
----
COPY t TO 'x'
----
UPDATE t SET a = 1
----
SELECT (1;
----
SELECT 'é
----
BEGIN