CREATE STREAM orders (id BIGINT NOT NULL, "userId" VARCHAR PATH '$.user.id', ts TIMESTAMP WITH TIME ZONE, price DECIMAL( 10 , 2 ), s STRUCT(a INT, "b c" VARCHAR[]), version INT, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) PARTITION BY (id) WITH (ttl = '7 days', idle = 0, partitions = 4, closed = true, description = 'it''s')
----
create or replace stream public.a (b int) with (event_time = c, ttl = 0)
----
create or replace stream public.a (b int, "C" timestamp without time zone null) with (event_time = "C", ttl = 0, max_future = INTERVAL 2 HOURS, closed = FALSE)
----
CREATE STREAM IF NOT EXISTS s (a MAP(VARCHAR, INT[])[], b DOUBLE PRECISION, c VARCHAR(20), d NUMERIC, e TIMESTAMPTZ, f JSON, g HUGEINT, h ENUM('x', 'y'), i UUID, j BLOB) WITH (ttl = '1h30m', idle = '500 ms')
----
CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts)
----
CREATE STREAM s (a INT PATH '$."odd key"."qu\"ote".x_1', b INT PATH '$."".é')
----
CREATE STREAM s (a INT, watermark INT, key INT, path INT, "order" INT)
----
CREATE STREAM s
----
CREATE STREAM s ()
----
CREATE STREAM s (a)
----
CREATE STREAM s (a INT
----
CREATE STREAM s (a INT,)
----
CREATE STREAM s (a INT) x
----
CREATE STREAM s (a INT, A INT)
----
CREATE STREAM s (a INT PRIMARY KEY)
----
CREATE STREAM s (a INT, VERSION a)
----
CREATE STREAM s (a INT DEFAULT 1)
----
CREATE STREAM s (a INT, UNIQUE (a))
----
CREATE STREAM s (a INT) WITH (tll = '1h')
----
CREATE STREAM s (a INT) WITH (compression = 'zstd')
----
CREATE STREAM s (a INT) WITH (ttl = '1h', ttl = '2h')
----
CREATE STREAM s (a INT) WITH (ttl '1h')
----
CREATE STREAM s (a INT) WITH (ttl = '1 month')
----
CREATE STREAM s (a INT) WITH (ttl = 5)
----
CREATE STREAM s (a INT) WITH (ttl = '-1 day')
----
CREATE STREAM s (a INT) WITH (ttl = '9999999999 days')
----
CREATE STREAM s (a INT) WITH (ttl = '0.0000001 s')
----
CREATE STREAM s (a INT) WITH (ttl = '')
----
CREATE STREAM s (a INT) WITH (max_future = 0)
----
CREATE STREAM s (a INT) WITH (partitions = 0)
----
CREATE STREAM s (a INT) WITH (partitions = 257)
----
CREATE STREAM s (a INT) WITH (closed = maybe)
----
CREATE STREAM s (a INT) WITH (description = no)
----
CREATE STREAM s (a INT) WITH (event_time = b)
----
CREATE STREAM s (ts INT, WATERMARK FOR ts)
----
CREATE STREAM s (ts TIMESTAMP, t2 TIMESTAMP, WATERMARK FOR ts) WITH (event_time = t2)
----
CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS t2 - INTERVAL '1s')
----
CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS ts - 5)
----
CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts, WATERMARK FOR ts)
----
CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR tz)
----
CREATE STREAM s (user_id INT) PARTITION BY (user_di)
----
CREATE STREAM s (a INT) PARTITION BY (a, A)
----
CREATE STREAM s (order INT)
----
CREATE STREAM s ("" INT)
----
CREATE STREAM s (_leat_x INT)
----
CREATE STREAM s (a INTT)
----
CREATE STREAM s (a DECIMAL(40, 2))
----
CREATE STREAM s (a STRUCT(b INT)
----
CREATE STREAM s (a INT[)
----
CREATE STREAM s (a TIMESTAMP WITH ZONE)
----
CREATE STREAM s (a INT PATH 'x.y')
----
CREATE STREAM s (a INT PATH '$.a[0]')
----
CREATE STREAM s (a INT PATH x)
----
CREATE STREAM s (a INT PATH '$.a.b.c.d.e.f.g.h.i.j.k.l.m.n')
----
CREATE STREAM "Orders" (a INT)
----
CREATE STREAM leat_system.x (a INT)
----
CREATE STREAM other.x (a INT)
----
CREATE STREAM a.b.c (a INT)
----
CREATE OR REPLACE STREAM IF NOT EXISTS s (a INT)
----
CREATE STREAM IF EXISTS s (a INT)
