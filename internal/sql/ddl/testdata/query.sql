SELECT 1; -- one
select 'a;b', "c;d", $$e;f$$, E'\';' /* ; /* ; */ */ from t;
----
;;; -- nothing
----
FROM s
----
WITH a AS (SELECT 1) SELECT * FROM a; VALUES (1), (2); TABLE s; PIVOT s ON a USING sum(b); (SELECT 1) UNION SELECT 2
----
SELECT [1, 2], {'a': 1}, x[1:2], $p, $1, ?, ?1, 'it''s' || "a""b", 1_000, 0xFF, .5, 1e-3, a->>'$.b', 1--2
----
SELECT (1;
----
SELECT [1, (2];
----
SELECT 1)
----
SELECT {'a': (1
----
SELECT 1 SELECT 2
----
DESCRIBE orders; DESC orders; DESCRIBE TABLE orders; DESCRIBE SELECT 1; DESCRIBE leat_system.dead_letters; DESCRIBE public.orders
----
DESCRIBE
----
DESCRIBE a b
----
DESCRIBE other.a
----
EXPLAIN SELECT 2; EXPLAIN WITH a AS (SELECT 1) FROM a
----
EXPLAIN
----
EXPLAIN ANALYZE SELECT 1
----
EXPLAIN DROP STREAM s
----
EXPLAIN VIEW v; EXPLAIN ENDPOINT public.e
----
EXPLAIN STREAM s
----
EXPLAIN VIEW
----
EXPLAIN CREATE MATERIALIZED VIEW v (a) AS SELECT 1 EMIT ON WINDOW CLOSE; EXPLAIN CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1; EXPLAIN MATERIALIZED VIEW v
----
EXPLAIN CREATE VIEW v AS SELECT 1
----
EXPLAIN CREATE MATERIALIZED VIEW v
