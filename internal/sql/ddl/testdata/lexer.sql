SELECT E'a\'b;c\\', e'\x41;', E'\u00e9''; '
----
SELECT 'a\'; SELECT 'b'
----
SELECT $$a;$b$;$$, $tag$ ; $$ ; $tag$, $é$;$é$
----
SELECT /* a /* b ; */ ; */ 1; SELECT 2 -- ; 'x
; SELECT 3
----
SELECT "größe", 数, naïve FROM s; SELECT a·b
----
CREATE STREAM s (größe INT, 数 INT, "a;b" INT, "say ""hi""" INT)
----
SELECT 1; SELECT　2;﻿SELECT 3
----
CREATE STREAM s (a INT);
----
SELECT a-- b;
+1
----
SELECT 1/*x*/+/*y*/2 @> -1, a<-1, a~~b, !~~c, 1..2
----
CREATE ENDPOINT e (a VARCHAR DEFAULT E'x\n\t\u00e9\x41\101\'''\q', b VARCHAR DEFAULT $$it's$$, c VARCHAR DEFAULT $q$ $$ $q$, d VARCHAR DEFAULT 'a\b') AS SELECT 1
----
CREATE ENDPOINT e (a DOUBLE DEFAULT -1.5e3, b INT DEFAULT 0x1F, c INT DEFAULT 1_000, d DOUBLE DEFAULT .5, e BOOLEAN DEFAULT TRUE) AS SELECT 1
----
SELECT 'é
----
SELECT E'a\'
----
SELECT "a
----
SELECT $$ a $ b
----
SELECT $tag$ a $$ b $TAG$
----
SELECT /* /* */ 1
----
SELECT 1 /*
----
SELECT '
----
CREATE STREAM s (‘a’ INT)
----
CREATE STREAM s (a INT) WITH (ttl = ‘7 days’)
----
DELETE FROM t WHERE k = “x”
----
“SELECT”
----
$
----
?
----
'text'
----
:
