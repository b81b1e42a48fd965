package ddl

// The forms of the statements, for the hints of errors that have no better one.
const (
	anyUsage      = "for example SELECT * FROM s LIMIT 10, or SHOW ALL to see what exists"
	createUsage   = "CREATE [OR REPLACE] STREAM, TABLE, VIEW, MATERIALIZED VIEW, ENDPOINT or INDEX, then its name"
	streamUsage   = "CREATE STREAM s (column TYPE [NOT NULL] [PATH '$.key'], ... [, WATERMARK FOR column AS column - INTERVAL '5 seconds']) [PARTITION BY (column)] [WITH (ttl = '7 days', ...)]"
	tableUsage    = "CREATE TABLE t (column TYPE [NOT NULL] [PATH '$.key'], ..., PRIMARY KEY (column, ...) [, VERSION column]) [WITH (ttl = '7 days', ...)]"
	viewUsage     = "CREATE VIEW v [(column, ...)] AS SELECT ..."
	materialUsage = "CREATE MATERIALIZED VIEW v [(column, ...)] AS SELECT ... [EMIT ON WINDOW CLOSE]"
	endpointUsage = "CREATE ENDPOINT e [(parameter TYPE [DEFAULT value], ...)] [WITH (description = '...', rate = 100, concurrent = 10, timeout = '2s', ...)] AS SELECT ... WHERE column = $parameter"
	alterUsage    = "ALTER STREAM s followed by RENAME TO name, RENAME a TO b, ALTER a TYPE t, ALTER a SET NOT NULL, ALTER a DROP NOT NULL, ADD a TYPE, DROP a, SET EVENT TIME a, SET WATERMARK FOR a, SET (option = value) or RESET (option)"
	renameUsage   = "ALTER VIEW v RENAME TO name, or ALTER ENDPOINT e SET (rate = 100); to change the query use CREATE OR REPLACE"
	indexUsage    = "CREATE INDEX [[IF NOT EXISTS] name] ON v (column, ...)"
	dropUsage     = "DROP STREAM, TABLE, VIEW, MATERIALIZED VIEW, ENDPOINT or INDEX [IF EXISTS] name, ..."
	showUsage     = "SHOW STREAMS, TABLES, VIEWS, MATERIALIZED VIEWS, ENDPOINTS, INDEXES [FROM name], ALL or CREATE name; DESCRIBE name shows the columns of one object"
	describeUsage = "DESCRIBE name, or DESCRIBE SELECT ..."
	explainUsage  = "EXPLAIN SELECT ..., EXPLAIN VIEW v, EXPLAIN ENDPOINT e or EXPLAIN CREATE MATERIALIZED VIEW v AS SELECT ..."
	insertUsage   = "INSERT INTO s [(column, ...)] VALUES (...), or a SELECT in place of VALUES"
	deleteUsage   = "DELETE FROM t WHERE key = 1, key IN (1, 2), k1 = 1 AND k2 = 2, or (k1, k2) IN ((1, 2), (3, 4)), with all columns of the key"
)
