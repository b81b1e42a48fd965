-- @ grafana time group
-- grafana/grafana pkg/tsdb/grafana-postgresql-datasource/macros.go: $__timeGroup(ts, '1m'), $__timeFilter(ts)
SELECT floor(extract(epoch from ts)/60)*60 AS "time", avg(amount) AS "value" FROM public.events WHERE ts BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-03T00:00:00Z' GROUP BY 1 ORDER BY 1
-- @ grafana time group of half seconds
SELECT floor(extract(epoch from "ts")/0.5)*0.5 AS "time", user_name AS metric, count(*) AS "n" FROM events WHERE "ts" BETWEEN '2026-01-01T00:00:00.123Z' AND '2026-01-03T00:00:00Z' GROUP BY 1,2 ORDER BY 1,2
-- @ grafana time
SELECT ts AS "time", amount FROM events WHERE ts BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-03T00:00:00Z' ORDER BY ts
-- @ grafana epoch
SELECT extract(epoch from ts) as "time", amount FROM events WHERE id >= 0 AND id <= 1767225600 ORDER BY 1
-- @ grafana epoch group
SELECT floor((id)/300)*300 AS "time", sum(amount) FROM events GROUP BY 1 ORDER BY 1
-- @ grafana query builder
SELECT COUNT(user_name) AS "n", user_name FROM events WHERE (user_name = 'ann' OR user_name = 'bob') GROUP BY user_name LIMIT 50
-- @ grafana query builder alias
SELECT AVG(amount) AS "avg", DATE_TRUNC('hour', ts) AS "hour" FROM public.events GROUP BY DATE_TRUNC('hour', ts) ORDER BY "hour" ASC LIMIT 50
-- @ grafana distinct values
-- grafana/grafana pkg/tsdb/grafana-postgresql-datasource/schema.go ColumnValues
SELECT 'user_name' AS col_name, "user_name"::text AS val FROM (SELECT DISTINCT "user_name" FROM "public"."events" WHERE "user_name" IS NOT NULL ORDER BY "user_name" LIMIT 100) sub_0 UNION ALL SELECT 'id' AS col_name, "id"::text AS val FROM (SELECT DISTINCT "id" FROM "public"."events" WHERE "id" IS NOT NULL ORDER BY "id" LIMIT 100) sub_1
-- @ grafana health
SELECT 1
-- @ grafana to_timestamp
SELECT count(*) FROM events WHERE ts >= to_timestamp(1767225600) AND ts < to_timestamp(1798761600)
-- @ grafana now
SELECT count(*) FROM events WHERE ts > now() - interval '100 years' AND ts > NOW() - INTERVAL '100 years' AND ts <= CURRENT_TIMESTAMP
-- @ user to_char
SELECT to_char(ts, 'YYYY-MM-DD HH24:MI:SS') AS d, count(*) FROM events GROUP BY 1 ORDER BY 1
-- @ user to_char month
SELECT to_char(date_trunc('month', ts), 'Mon YYYY') AS m, to_char(ts, 'YYYY-MM') AS n, sum(amount) FROM events GROUP BY 1, 2
-- @ user regex
SELECT user_name FROM events WHERE user_name ~ 'n' ORDER BY 1
-- @ user regex case
SELECT user_name FROM events WHERE user_name ~* '^A' OR user_name !~* 'O'
-- @ user regex not
SELECT user_name FROM events WHERE user_name !~ 'nn'
-- @ user percentile
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FROM events
-- @ user round
SELECT round(avg(amount)::numeric, 2), round(1.234::numeric, 1) FROM events
-- @ user date_part
SELECT date_part('hour', ts), EXTRACT(dow FROM ts), extract(isodow from ts) FROM events ORDER BY 1
-- @ user timezone
SELECT ts AT TIME ZONE 'Europe/Berlin' AS l, timezone('UTC', ts) FROM events ORDER BY ts
-- @ user ilike any
SELECT user_name FROM events WHERE user_name ILIKE ANY (ARRAY['A%', 'x%'])
-- @ user like any
SELECT user_name FROM events WHERE user_name LIKE ANY (ARRAY['a%', 'x%'])
-- @ user any
SELECT user_name FROM events WHERE user_name = ANY (ARRAY['ann', 'x']) AND id = ANY('{1,2}'::int[])
-- @ user casts
SELECT id::float8, amount::float, id::text, '1'::int, '2026-01-01'::date, 'x'::varchar(10), amount::money FROM events WHERE false
-- @ user json
SELECT ('{"a": {"b": 1}}'::jsonb)->'a'->>'b'
-- @ user string
SELECT E'a\nb', 'a' || 'b', position('b' in 'abc'), substring('abc' from 2 for 1), trim(both 'x' from 'xax'), left('abc', 2), initcap('abc'), lpad('1', 3, '0'), split_part('a,b', ',', 2), md5('a'), length('abc'), char_length('abc'), strpos('abc','c'), repeat('a', 3), reverse('ab'), concat_ws('-', 'a', 'b')
-- @ user collate
SELECT user_name COLLATE "C" FROM events ORDER BY user_name COLLATE "C"
-- @ user filter
SELECT count(*) FILTER (WHERE amount > 2), bool_or(amount > 2), string_agg(user_name, ',' ORDER BY user_name), array_agg(id ORDER BY id) FROM events
-- @ user series
SELECT g, count(e.id) FROM generate_series(timestamptz '2026-01-01', timestamptz '2026-01-02', interval '1 day') AS g LEFT JOIN events e ON date_trunc('day', e.ts) = g GROUP BY 1 ORDER BY 1
-- @ user interval
SELECT make_interval(mins => 5), interval '1 day' * 2, age(timestamp '2026-01-02', timestamp '2026-01-01')
-- @ user distinct on
SELECT DISTINCT ON (user_name) user_name, ts FROM events ORDER BY user_name, ts DESC
-- @ user fetch first
SELECT id FROM events ORDER BY id FETCH FIRST 1 ROWS ONLY
-- @ user values
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(x, y)
-- @ metabase rows
-- metabase/metabase src/metabase/driver/sql/query_processor.clj
-- Metabase:: userID: 1 queryType: MBQL queryHash: 29d5dba7ae2fcb0cc5c06fc2eb6cfbe3
SELECT "public"."events"."id" AS "id", "public"."events"."user_name" AS "user_name", "public"."events"."ts" AS "ts", "public"."events"."amount" AS "amount" FROM "public"."events" LIMIT 2000
-- @ metabase month
SELECT DATE_TRUNC('month', "public"."events"."ts") AS "ts", SUM("public"."events"."amount") AS "sum" FROM "public"."events" GROUP BY DATE_TRUNC('month', "public"."events"."ts") ORDER BY DATE_TRUNC('month', "public"."events"."ts") ASC
-- @ metabase day
SELECT CAST("public"."events"."ts" AS date) AS "ts", COUNT(*) AS "count" FROM "public"."events" WHERE "public"."events"."ts" >= DATE_TRUNC('day', (NOW() + INTERVAL '-30000 day')) GROUP BY CAST("public"."events"."ts" AS date) ORDER BY CAST("public"."events"."ts" AS date) ASC
-- @ metabase week
SELECT (DATE_TRUNC('week', ("public"."events"."ts" + INTERVAL '1 day')) + INTERVAL '-1 day') AS "ts", COUNT(DISTINCT "public"."events"."user_name") AS "count" FROM "public"."events" GROUP BY (DATE_TRUNC('week', ("public"."events"."ts" + INTERVAL '1 day')) + INTERVAL '-1 day') ORDER BY (DATE_TRUNC('week', ("public"."events"."ts" + INTERVAL '1 day')) + INTERVAL '-1 day') ASC
-- @ metabase hour of day
SELECT CAST(extract(hour from "public"."events"."ts") AS integer) AS "ts", AVG("public"."events"."amount") AS "avg", STDDEV_POP("public"."events"."amount") AS "stddev" FROM "public"."events" GROUP BY CAST(extract(hour from "public"."events"."ts") AS integer) ORDER BY 1 ASC
-- @ metabase fingerprint
SELECT SUBSTRING("public"."events"."user_name", 1, 1234) AS "substring0", "public"."events"."amount" AS "amount" FROM "public"."events" LIMIT 10000
-- @ metabase bins
SELECT ((FLOOR((("public"."events"."amount" - 0.0) / 1.5)) * 1.5) + 0.0) AS "amount", COUNT(*) AS "count" FROM "public"."events" GROUP BY ((FLOOR((("public"."events"."amount" - 0.0) / 1.5)) * 1.5) + 0.0) ORDER BY 1 ASC
-- @ metabase median
SELECT PERCENTILE_CONT(0.5) within group (order by "public"."events"."amount") AS "median" FROM "public"."events"
-- @ metabase contains
SELECT COUNT(*) AS "count" FROM "public"."events" WHERE (LOWER("public"."events"."user_name") LIKE '%nn%') AND ("public"."events"."user_name" IS NOT NULL) AND (("public"."events"."user_name" <> '') OR ("public"."events"."user_name" IS NULL))
-- @ metabase source
SELECT "source"."ts" AS "ts", SUM("source"."amount") AS "sum" FROM (SELECT DATE_TRUNC('day', "public"."events"."ts") AS "ts", "public"."events"."amount" AS "amount" FROM "public"."events") AS "source" GROUP BY "source"."ts" ORDER BY "source"."ts" ASC
-- @ metabase privilege probe
SELECT TRUE AS "_" FROM "public"."events" WHERE 1 <> 1 LIMIT 0
-- @ metabase regex
SELECT substring("public"."events"."user_name" FROM '([a-z])n') AS "m" FROM "public"."events"
-- @ metabase datetime diff
SELECT CAST(TRUNC(extract(epoch from CAST(NOW() AS timestamp)) - extract(epoch from CAST("public"."events"."ts" AS timestamp))) AS integer) > 0 AS "d" FROM "public"."events"
-- @ metabase age
SELECT CAST(extract(year from AGE(DATE_TRUNC('day', CAST('2027-02-01' AS timestamp)), DATE_TRUNC('day', CAST("public"."events"."ts" AS timestamp)))) AS integer) AS "y" FROM "public"."events"
-- @ metabase numeric cast
SELECT CAST("public"."events"."user_name" AS TEXT) || ' ' || CAST(COUNT(*) AS TEXT) AS "x", COUNT(*) / NULLIF(CAST(COUNT(*) AS DOUBLE PRECISION), 0.0) AS "share" FROM "public"."events" GROUP BY "public"."events"."user_name"
-- @ metabase joins
SELECT "public"."events"."id" AS "id", "Users"."name" AS "Users__name" FROM "public"."events" LEFT JOIN "public"."users" AS "Users" ON "public"."events"."id" = "Users"."id" LIMIT 10
-- @ tableau
SELECT CAST("events"."user_name" AS TEXT) AS "user_name", SUM("events"."amount") AS "sum:amount:ok", DATE_TRUNC( 'MONTH', CAST("events"."ts" AS DATE) ) AS "tmn:ts:ok" FROM "public"."events" "events" GROUP BY 1, 3
-- @ superset
SELECT DATE_TRUNC('day', ts) AS __timestamp, count(*) AS count FROM public.events WHERE ts >= TO_TIMESTAMP('2026-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') AND ts < TO_TIMESTAMP('2027-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY DATE_TRUNC('day', ts) ORDER BY count DESC LIMIT 10000
-- @ superset probe
SELECT * FROM public.totals LIMIT 101
