-- pg_roles
SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit, '********', rolvaliduntil, rolbypassrls, NULL, oid FROM pg_authid
-- pg_user
SELECT rolname, oid, rolcreatedb, rolsuper, rolreplication, rolbypassrls, '********', rolvaliduntil, NULL FROM pg_authid WHERE rolcanlogin
-- pg_tables
SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner), NULL, c.relhasindex, c.relhasrules, c.relhastriggers, c.relrowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')
-- pg_views
SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner), r.definition FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN leat_relation() r ON r.oid = c.oid WHERE c.relkind = 'v'
-- pg_matviews
SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner), NULL, c.relhasindex, true, r.definition FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN leat_relation() r ON r.oid = c.oid WHERE c.relkind = 'm'
-- pg_indexes
SELECT n.nspname, c.relname, i.relname, NULL, d.definition FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN leat_index() d ON d.oid = i.oid AND d.part = 0
-- pg_stat_all_tables
SELECT * FROM pg_stat_user_tables
-- information_schema.information_schema_catalog_name
SELECT datname FROM pg_database
-- information_schema.schemata
SELECT d.datname, n.nspname, pg_get_userbyid(n.nspowner), NULL, NULL, NULL, NULL FROM pg_namespace n, pg_database d
-- leat_tables
SELECT d.datname AS catalog, n.nspname, c.relname, c.relkind, c.oid, r.writable, r.deletable FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN leat_relation() r ON r.oid = c.oid, pg_database d WHERE c.relkind IN ('r', 'v', 'm')
-- leat_columns
SELECT d.datname AS catalog, n.nspname, c.relname, c.relkind, a.attname, a.attnum, a.attnotnull, a.atttypid, a.atttypmod, t.typname, t.typcategory, coalesce(lt.display, t.typname) AS display, r.writable
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid JOIN leat_relation() r ON r.oid = c.oid
LEFT JOIN leat_type() lt ON lt.oid = t.oid AND lt.name = t.typname, pg_database d WHERE c.relkind IN ('r', 'v', 'm') AND a.attnum > 0
-- information_schema.tables
SELECT catalog, nspname, relname, CASE relkind WHEN 'r' THEN 'BASE TABLE' ELSE 'VIEW' END, NULL, NULL, NULL, NULL, NULL, CASE WHEN writable THEN 'YES' ELSE 'NO' END, 'NO', NULL FROM leat_tables
-- information_schema.views
SELECT catalog, t.nspname, t.relname, r.definition, 'NONE', 'NO', 'NO', 'NO', 'NO', 'NO' FROM leat_tables t JOIN leat_relation() r ON r.oid = t.oid WHERE relkind IN ('v', 'm')
-- information_schema.columns
SELECT catalog, nspname, relname, attname, attnum, NULL, CASE WHEN attnotnull THEN 'NO' ELSE 'YES' END,
CASE WHEN typcategory = 'A' THEN 'ARRAY' ELSE display END, NULL, CASE WHEN atttypid IN (25, 1042, 1043) THEN 1073741824 END,
CASE atttypid WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53 WHEN 1700 THEN CASE WHEN atttypmod >= 0 THEN (atttypmod - 4) >> 16 END END,
CASE WHEN atttypid IN (20, 21, 23, 700, 701) THEN 2 WHEN atttypid = 1700 THEN 10 END,
CASE WHEN atttypid IN (20, 21, 23) THEN 0 WHEN atttypid = 1700 AND atttypmod >= 0 THEN (atttypmod - 4) & 65535 END,
CASE WHEN atttypid IN (1083, 1114, 1184, 1186, 1266) THEN 6 WHEN atttypid = 1082 THEN 0 END,
NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, catalog, 'pg_catalog', typname, NULL, NULL, NULL, NULL, attnum::VARCHAR, 'NO', 'NO', NULL, NULL, NULL, NULL, NULL, 'NO',
'NEVER', NULL, CASE WHEN writable THEN 'YES' ELSE 'NO' END FROM leat_columns
-- leat_keys
SELECT d.datname AS catalog, n.nspname, k.conname, c.relname, unnest(k.conkey) AS attnum, unnest(generate_series(1, len(k.conkey))) AS position, c.oid FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = k.connamespace, pg_database d
-- information_schema.table_constraints
SELECT d.datname, n.nspname, k.conname, d.datname, n.nspname, c.relname, 'PRIMARY KEY', 'NO', 'NO', 'YES', NULL FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = k.connamespace, pg_database d
-- information_schema.key_column_usage
SELECT k.catalog, k.nspname, k.conname, k.catalog, k.nspname, k.relname, a.attname, k.position, NULL FROM leat_keys k JOIN pg_attribute a ON a.attrelid = k.oid AND a.attnum = k.attnum
-- information_schema.constraint_column_usage
SELECT k.catalog, k.nspname, k.relname, a.attname, k.catalog, k.nspname, k.conname FROM leat_keys k JOIN pg_attribute a ON a.attrelid = k.oid AND a.attnum = k.attnum
-- information_schema.table_privileges
SELECT 'leat', (SELECT session_user FROM leat_session()), t.catalog, t.nspname, t.relname, p.p, 'NO', CASE p.p WHEN 'SELECT' THEN 'YES' ELSE 'NO' END FROM leat_tables t, (VALUES ('SELECT'), ('INSERT'), ('DELETE')) p(p) WHERE p.p = 'SELECT' OR p.p = 'INSERT' AND t.writable OR p.p = 'DELETE' AND t.deletable
-- information_schema.role_table_grants
SELECT * FROM "information_schema.table_privileges"
-- information_schema.column_privileges
SELECT 'leat', (SELECT session_user FROM leat_session()), c.catalog, c.nspname, c.relname, c.attname, p.p, 'NO' FROM leat_columns c, (VALUES ('SELECT'), ('INSERT')) p(p) WHERE p.p = 'SELECT' OR c.writable
-- information_schema.role_column_grants
SELECT * FROM "information_schema.column_privileges"
-- information_schema.enabled_roles
SELECT rolname FROM pg_authid WHERE rolname = (SELECT session_user FROM leat_session())
-- information_schema.character_sets
SELECT NULL, NULL, 'UTF8', 'UCS', 'UTF8', datname, 'pg_catalog', 'default' FROM pg_database
-- information_schema.collations
SELECT d.datname, 'pg_catalog', c.collname, 'NO PAD' FROM pg_collation c, pg_database d
-- leat_strict_tables
SELECT v.* FROM "information_schema.tables" v WHERE NOT EXISTS (SELECT 1 FROM leat_tables t WHERE t.nspname = v.table_schema AND t.relname = v.table_name AND t.relkind = 'm')
-- leat_strict_columns
SELECT v.* FROM "information_schema.columns" v WHERE NOT EXISTS (SELECT 1 FROM leat_tables t WHERE t.nspname = v.table_schema AND t.relname = v.table_name AND t.relkind = 'm')
-- leat_keywords
SELECT unnest(string_split(trim(leat_reserved()), ' ')) AS word, 'R' AS catcode, false AS barelabel, 'reserved' AS catdesc, 'requires AS' AS baredesc
-- leat_grants
SELECT 0::pgoid AS grantor, 0::pgoid AS grantee, '' AS privilege_type, false AS is_grantable WHERE false
-- leat_options
SELECT '' AS option_name, '' AS option_value WHERE false
