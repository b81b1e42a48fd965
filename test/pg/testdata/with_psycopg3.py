# What applications with psycopg 3 do; any surprise ends the program.
import asyncio, datetime as dt, decimal, threading, time, uuid
import psycopg
from psycopg import errors

types = """select true b, 1::tinyint i1, 2::smallint i2, 3::integer i4, 4::bigint i8, 5::hugeint h, 6::utinyint u1, 7::usmallint u2, 8::uinteger u4,
 18446744073709551615::ubigint u8, 1.5::float f, 2.25::double d, 123.4500::decimal(10,4) n, -0.05::decimal(5,2) n2, 12345678901234567890.123::decimal(38,3) n3,
 'ä€😀'::varchar v, '\\x00\\xFF'::blob bl, date '2024-02-29' da, time '12:34:56.789' t, timestamp '2024-01-02 03:04:05.678901' ts,
 timestamptz '2024-01-02 03:04:05+00' tz, interval '3 days 04:05:06.5' iv, uuid '12345678-1234-5678-1234-567812345678' u, '{"a":1}'::json j,
 [1,2,NULL] l, ['a','b c','"q"', 'NULL'] ls, {'a':1,'b':'x'} st, map{'k':1} m, [date '2024-01-01'] ld, [[1],[2]] ll, NULL::integer nn, [1.5::decimal(4,2)] ldec,
 []::integer[] le, [true,NULL] lb"""
want = dict(b=True, i1=1, i2=2, i4=3, i8=4, h=decimal.Decimal(5), u1=6, u2=7, u4=8, u8=decimal.Decimal(18446744073709551615), f=1.5, d=2.25,
    n=decimal.Decimal("123.4500"), n2=decimal.Decimal("-0.05"), n3=decimal.Decimal("12345678901234567890.123"), v="ä€😀", bl=b"\x00\xff", da=dt.date(2024, 2, 29),
    t=dt.time(12, 34, 56, 789000), ts=dt.datetime(2024, 1, 2, 3, 4, 5, 678901), tz=dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc),
    iv=dt.timedelta(days=3, seconds=14706, microseconds=500000), u=uuid.UUID("12345678-1234-5678-1234-567812345678"), j={"a": 1}, l=[1, 2, None],
    ls=["a", "b c", '"q"', "NULL"], st={"a": 1, "b": "x"}, m={"k": 1}, ld=[dt.date(2024, 1, 1)], ll=[[1], [2]], nn=None, ldec=[decimal.Decimal("1.50")], le=[],
    lb=[True, None])

def fails(state, f, *args, **kw):
    try:
        f(*args, **kw)
    except psycopg.Error as e:
        assert e.sqlstate == state, (e.sqlstate, state, str(e))
        return e
    raise AssertionError(f"no error {state}: {args}")

c = psycopg.connect(autocommit=True)
for binary in (False, True):
    cur = c.cursor(binary=binary)
    row = cur.execute(types).fetchone()
    got = {d.name: v for d, v in zip(cur.description, row)}
    assert got == want, [(k, got[k], want[k]) for k in want if got[k] != want[k]]

# Every value goes as a parameter and comes back, as text and binary.
values = [(True, "boolean"), (7, "bigint"), (-3, "smallint"), (2**40, "bigint"), (2**70, "hugeint"), (1.25, "double"), ("it's \"x\"", "varchar"), (b"\x00\\\xff'", "blob"),
    (dt.date(1999, 12, 31), "date"), (dt.time(1, 2, 3, 4), "time"), (dt.datetime(1960, 1, 2, 3, 4, 5, 6), "timestamp"),
    (dt.datetime(2024, 1, 2, 3, 4, 5, 6, dt.timezone.utc), "timestamptz"), (dt.timedelta(days=1, seconds=2), "interval"),
    (uuid.UUID(int=5), "uuid"), (decimal.Decimal("12.3400"), "decimal(10,4)"), ([1, None, 3], "integer[]"), (["a", 'b"c', None, "{}"], "varchar[]"),
    ([dt.date(2020, 1, 1)], "date[]"), (None, "integer")]
for value, typ in values:
    for mark in ("%t", "%b") if value is not None else ("%s",):
        got = c.execute(f"select {mark}::{typ}", (value,)).fetchone()[0]
        assert got == value, (typ, mark, value, got)
assert c.execute("select %s, %s, %s", (5, "x", 1.5)).fetchone() == (5, "x", 1.5)
assert c.execute("select k from s where k = %s and ts > %s and v = %s", (1, dt.datetime(2023, 1, 1), decimal.Decimal("2.5"))).fetchall() == [(1,)]
assert c.execute("select k from s where k = any(%s) order by k", ([1, 2, 3],)).fetchall() == [(1,), (2,)]
for i in range(10):
    assert c.execute("select n from by_k where k = %s", (1 + i % 2,), prepare=True).fetchall() == [(1,)]
fails("22P02", c.execute, "select %s::int", ("abc",))
e = fails("42703", c.execute, "select k,\n  nope from s")
assert e.diag.statement_position == "13", e.diag.statement_position
fails("42P01", c.execute, "select * from nosuch where a = %s", (1,))

# Transactions: psycopg opens one by itself.
d = psycopg.connect()
d.execute("insert into s values (%s, %s, %s, %s)", (10, 1.5, "tx", dt.datetime(2024, 5, 5)))
d.rollback()
assert d.execute("select count(*) from s where k = 10").fetchone() == (0,)
d.execute("insert into s values (%s, %s, %s, %s)", (10, 1.5, "tx", dt.datetime(2024, 5, 5)))
d.commit()
assert d.execute("select t, ts from s where k = 10").fetchall() == [("tx", dt.datetime(2024, 5, 5))]
fails("42703", d.execute, "select boom from s")
fails("25P02", d.execute, "select 1")
assert d.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
d.rollback()
with d.cursor() as cur:
    cur.executemany("insert into s (k, t) values (%s, %s)", [(i, str(i)) for i in range(100, 200)])
    assert cur.rowcount == 100
d.commit()
assert d.execute("select count(*), min(t) from s where k >= 100").fetchone() == (100, "100")
d.execute("insert into kv (id, name, tags, raw, ok, price) values (%s, %s, %s, %s, %s, %s)", (1, "a", ["x", "y z"], b"\x00\x01", True, decimal.Decimal("9.99")))
d.commit()
assert d.execute("select * from kv where id = %s", (1,)).fetchone() == (1, "a", ["x", "y z"], b"\x00\x01", True, decimal.Decimal("9.99"))
d.execute("delete from kv where id = %s", (1,))
d.commit()
assert d.execute("select count(*) from kv").fetchone() == (0,)

# Cursors on the server, read with and without pauses.
for rows, pause in ((1000, 0), (300000, .4)):
    with d.cursor(name="srv") as cur:
        cur.itersize = 100
        cur.execute(f"select range::bigint r from range({rows})")
        first = cur.fetchmany(10)
        time.sleep(pause)
        rest = cur.fetchall()
        assert [r[0] for r in first + rest] == list(range(rows))
d.commit()

# COPY both ways.
text = [(i, i / 2, f"a\tb\n\\{i}", dt.datetime(2024, 1, 1, 0, 0, 1)) for i in range(1000, 1500)]
with c.cursor() as cur:
    with cur.copy("COPY s (k, v, t, ts) FROM STDIN") as cp:
        for r in text:
            cp.write_row(r)
    assert cur.rowcount == 500, cur.rowcount
    assert c.execute("select k, v, t, ts from s where k between 1000 and 1999 order by k").fetchall() == text
    with cur.copy("COPY s (k, v, t, ts) FROM STDIN (FORMAT binary)") as cp:
        cp.set_types(["int4", "float8", "text", "timestamp"])
        for r in text:
            cp.write_row((r[0] + 1000,) + r[1:])
    assert c.execute("select count(*), sum(k) from s where k between 2000 and 2999").fetchone() == (500, sum(r[0] + 1000 for r in text))
    with cur.copy("COPY (select k, v, t, ts from s where k between 1000 and 1999 order by k) TO STDOUT") as cp:
        cp.set_types(["int4", "float8", "text", "timestamp"])
        assert list(cp.rows()) == text
    with cur.copy("COPY (select k, v, t, ts from s where k between 1000 and 1999 order by k) TO STDOUT (FORMAT binary)") as cp:
        cp.set_types(["int4", "float8", "text", "timestamp"])
        assert list(cp.rows()) == text
with d.cursor() as cur:
    with cur.copy("COPY s (k) FROM STDIN") as cp:
        cp.write_row((7777,))
d.rollback()
assert d.execute("select count(*) from s where k = 7777").fetchone() == (0,)
d.commit()

# A statement is canceled from elsewhere; the session goes on.
threading.Timer(.3, c.cancel).start()
fails("57014", c.execute, "select count(*) from range(1000000) a, range(1000000) b where a.range + b.range = 7")
assert c.execute("select 1").fetchone() == (1,)

with c.pipeline():
    cursors = [c.execute("select %s::int", (i,)) for i in range(50)]
    assert [x.fetchone()[0] for x in cursors] == list(range(50))
try:
    with c.pipeline():
        good, bad, later = c.execute("select 1"), c.execute("select nope"), c.execute("select 2")
    raise AssertionError("a pipeline with an error passed")
except errors.UndefinedColumn:
    pass
assert c.execute("select 3").fetchone() == (3,)

async def many():
    async with await psycopg.AsyncConnection.connect(autocommit=True) as a:
        cur = await a.execute("select n from by_k where k = %s", (1,))
        assert await cur.fetchone() == (1,)
asyncio.run(many())
