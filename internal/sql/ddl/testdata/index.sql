CREATE INDEX ON orders (customer)
----
create index orders_by_day on public.orders using btree (day asc, "Customer No")
----
CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON v (a, b)
----
CREATE INDEX "index" ON v (index)
----
DROP INDEX a, b; DROP INDEX CONCURRENTLY IF EXISTS c
----
SHOW INDEXES; SHOW INDEX ON v; SHOW INDEXES FROM v
----
CREATE UNIQUE INDEX i ON v (a)
----
CREATE OR REPLACE INDEX i ON v (a)
----
CREATE INDEX IF NOT EXISTS ON v (a)
----
CREATE INDEX i ON v USING hash (a)
----
CREATE INDEX i ON v (lower(a))
----
CREATE INDEX i ON v ((a + 1))
----
CREATE INDEX i ON v (a DESC)
----
CREATE INDEX i ON v (a, A)
----
CREATE INDEX i ON v (a, b, c, d, e, f, g, h, i)
----
CREATE INDEX i ON v (a) WHERE a > 1
----
CREATE INDEX i ON v ()
----
CREATE INDEX i v (a)
----
CREATE INDEX Über ON v (a)
----
CREATE INDX ON v (a)
----
SHOW INDICES
----
SHOW CREATE INDEX i
----
DROP INDEX i ON v
