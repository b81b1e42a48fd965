SELECT 1 AS x
;
select a, a AS "A", a+1, b || 'x', -a, abs(a), count FROM (SELECT *, 1 AS count FROM t)
;
SELECT * FROM public.Bid WHERE price BETWEEN 1 AND 2 AND channel IN ('a', 'b') AND url NOT LIKE 'x%' OR extra IS NOT NULL
;
SELECT count(*) FROM bid
;
SELECT 1, 1.5, 1.5::DOUBLE, -2, 'x', NULL, true, false, NULL::BIGINT, 12345678901234567890, 1e3, -170141183460469231731687303715884105727 FROM bid
;
SELECT DATE '2020-01-02', TIMESTAMP '2020-01-02 03:04:05.5', TIMESTAMPTZ '2020-01-02 03:04:05+01', '2020-01-02T00:00:00Z'::TIMESTAMPTZ, TIME '01:02:03' FROM bid
;
SELECT INTERVAL '10' SECOND, INTERVAL '1 day 02:00:00', INTERVAL 5 MINUTE, INTERVAL '1' MONTH, INTERVAL (price) HOUR, INTERVAL '1.5 hours', 3 * INTERVAL 1 DAY, -INTERVAL 1 DAY FROM bid
;
SELECT s.x, s['y'], l[1], m['k'], j->>'a', j->'$.b', struct_pack(q := a), [a, 1], {'q': b}, MAP {'a': 1}, list_value(a), l[1:2] FROM t
;
SELECT extract(hour FROM tz), date_trunc('hour', tz), tz + INTERVAL 1 DAY, tz::DATE, tz::TIMESTAMP, strftime(tz, '%Y'), date_part('epoch', tz), epoch_ms(tz), time_bucket(INTERVAL 1 HOUR, tz) FROM t
;
SELECT TRY_CAST(b AS INTEGER), coalesce(a, 1), nullif(a, 2), a IS DISTINCT FROM 3, a NOT BETWEEN 1 AND 2, a NOT IN (1, 2), greatest(a, 1), CASE a WHEN 1 THEN 'x' END, if(a > 1, 2, 3), NOT (a > 1), ifnull(a, 0) FROM t
;
SELECT a % 2, a // 2, a / 2, d * 2, d + d, d * d, ti + ti, h + 1, c ** 2, round(c, 2), b ~ 'x', b ILIKE 'y', regexp_matches(b, 'a+'), regexp_extract(b, '(a)(b)', 2), concat(b, a), concat_ws('-', b, a), lower(b), substring(b, 1, 2), b[1], split_part(b, '/', 2), TRY(1 // a) FROM t
;
SELECT now(), current_timestamp, current_date, today(), current_localtimestamp() FROM bid
;
SELECT *, _leat_offset, _leat_received_at FROM (SELECT _leat_partition AS p, * FROM "bid$leat" AS bid)
;
SELECT price AS p, p + 1 AS q FROM bid WHERE q > 3
;
FROM bid SELECT auction
;
SELECT auction FROM bid; -- done
;
SELECT (a, b) IN (SELECT auction, channel FROM bid) FROM t
;
SELECT a IN (1, NULL), a IN l, a = ANY (SELECT price FROM bid) FROM t
;
SELECT a::VARCHAR::TIMESTAMP, b::JSON, c::DECIMAL(5,1), TRY_CAST(b AS DATE), l::BIGINT[], s::STRUCT(x BIGINT, y VARCHAR), u::VARCHAR, bl::VARCHAR, m['a'], tz AT TIME ZONE 'UTC' FROM t
;
SELECT auction AS "0", price AS "1", 2 FROM bid
;
WITH x AS (SELECT auction, count(*) FROM bid GROUP BY 1) SELECT x.auction + 1 AS "1", * FROM x, x y
;
SELECT NULL AS n, [NULL], {'a': NULL}
;
SELECT * EXCLUDE (extra) REPLACE (price * 2 AS price) FROM bid
;
SELECT b.* FROM bid AS b(x, y)
;
SELECT "Odd name", "odd NAME" + 1 FROM t
;
VALUES (1, 'a'), (2, NULL)
;
SELECT * FROM (VALUES (1, DATE '2020-01-01'), (2, NULL)) v(x, y)
;
SELECT auction FROM bid WHERE false
;
SELECT reason FROM leat_system.dead_letters
;
SELECT /* a 'comment */ auction -- bid
FROM /* x */ public . "bid" b -- )
WHERE b.channel = $$ bid ' $$ AND url = '''' AND extra = e'\'bid'
;
SELECT 'ä' AS "ö", auction FROM bid AS "ü" WHERE "ü".channel = 'ä' AND pricé = 1
;
SELECT round(d, 1), ceil(c), strptime(b, '%Y'), regexp_replace(b, 'a', 'b', 'g'), list_sort(l, 'DESC'), date_diff('day', tz, tz), b LIKE 'a$%' ESCAPE '$', format('{}', a), to_json(s), list_slice(l, 1, 2), epoch(tz), abs(d), sign(d), starts_with(b, 'x'), cardinality(m), map_keys(m), element_at(m, 'k'), tz - tz, last_day(tz), d / 2, d % 2, d + c, -d, d * d * d, u::VARCHAR FROM t
;
SELECT datepart(['year', 'month'], tz) FROM t
;
SELECT struct_insert(s, z := 1) FROM t
;
SELECT list_sum(l) FROM t
;
SELECT json_extract(j, ['a', 'b']), json_extract_string(j, '$.a'), j->'a'->>'b', json_array_length(j), json_valid(b) FROM t
;
SELECT count(*) AS n, a.price FROM bid a NATURAL JOIN (SELECT auction, price FROM bid) b GROUP BY ALL HAVING count(*) > 1
;
SELECT price, * EXCLUDE (price) FROM bid FULL JOIN (SELECT id AS auction, seller FROM auction) x USING (auction)
