create or replace table airports (iata varchar primary key, name text path '$."full name"', v bigint, version v)
----
CREATE TABLE IF NOT EXISTS t (a INT, b INT, PRIMARY KEY (a, b)) WITH (ttl = INTERVAL (90) MINUTES)
----
CREATE TABLE t (PRIMARY KEY (a), a INT, "version" INT, VERSION "version")
----
CREATE TABLE t (a INT, version INT, PRIMARY KEY (a))
----
CREATE TABLE t (a INT)
----
CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY)
----
CREATE TABLE t (a INT, PRIMARY KEY (b))
----
CREATE TABLE t (a INT, PRIMARY KEY (a, a))
----
CREATE TABLE t (a INT, PRIMARY KEY a)
----
CREATE TABLE t (a INT PRIMARY KEY, v INT, VERSION v, VERSION a)
----
CREATE TABLE t (a INT PRIMARY KEY, VERSION "nope")
----
CREATE TABLE t AS SELECT 1
----
CREATE TABLE t (a INT PRIMARY KEY, FOREIGN KEY (a) REFERENCES b)
----
CREATE TABLE t (a INT REFERENCES b)
----
CREATE TABLE t (a INT GENERATED ALWAYS AS (1))
