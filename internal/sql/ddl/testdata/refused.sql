COPY t TO 'x'
----
UPDATE t SET a = 1
----
BEGIN
----
SELECT 1; COMMIT
----
set threads = 1
----
ATTACH 'x.db'
----
PRAGMA database_list
----
TRUNCATE s
----
MERGE INTO t USING s ON true
----
GRANT SELECT ON s TO x
----
PREPARE p AS SELECT 1
----
CALL f()
----
VACUUM
----
COMMENT ON TABLE t IS 'x'
----
SLECT 1
----
xyzzy
----
1
