# What applications with psycopg2 do.
import datetime as dt, decimal, io
import psycopg2, psycopg2.extras

c = psycopg2.connect("")
cur = c.cursor()
cur.execute("select %s, %s, %s, %s, %s", (1, "it's", None, decimal.Decimal("1.5"), True))
assert cur.fetchone() == (1, "it's", None, decimal.Decimal("1.5"), True)
cur.execute("select k, v, t, ts from s where ts = %s", (dt.datetime(2024, 1, 1, 10),))
assert cur.fetchall() == [(1, 2.5, "hello", dt.datetime(2024, 1, 1, 10))]
cur.execute("insert into s (k, t) values (%s, %s)", (20, "p2"))
c.rollback()
cur.execute("insert into s (k, t) values (%s, %s)", (21, "p2"))
c.commit()
cur.execute("select k from s where t = 'p2'")
assert cur.fetchall() == [(21,)]
psycopg2.extras.execute_values(cur, "insert into s (k, t) values %s", [(i, "many") for i in range(50)])
c.commit()
cur.execute("select count(*) from s where t = 'many'")
assert cur.fetchone() == (50,)
named = c.cursor("named")
named.itersize = 7
named.execute("select range::int from range(100)")
assert [r[0] for r in named] == list(range(100))
named.close()
c.commit()
cur.copy_expert("copy s (k, t) from stdin with csv", io.StringIO("30,\"x,y\"\n31,\n"))
assert cur.rowcount == 2
c.commit()
out = io.StringIO()
cur.copy_expert("copy (select k, t from s where k in (30, 31) and t <> 'many' order by k) to stdout with csv", out)
assert out.getvalue() == '30,"x,y"\n', out.getvalue()
try:
    cur.execute("select nope from s")
    raise AssertionError("no error")
except psycopg2.errors.UndefinedColumn as e:
    assert e.pgcode == "42703"
c.rollback()
with c.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as x:
    x.execute("select 1 as a, array[1,2] as b")
    assert dict(x.fetchone()) == {"a": 1, "b": [1, 2]}
c.commit()
c.autocommit = True
cur.execute("show statement_timeout")
assert cur.fetchone() == ("30s",)
