"""SQLAlchemy's reflection, over the driver that its argument names."""
import os
import sys

import sqlalchemy as sa

url = sa.URL.create("postgresql+" + sys.argv[1], username=os.environ["PGUSER"], host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]), database=os.environ["PGDATABASE"])


def check(i):
    assert sorted(i.get_table_names()) == ["events", "users"], i.get_table_names()
    assert i.get_view_names() == ["plain"], i.get_view_names()
    assert i.get_materialized_view_names() == ["totals"], i.get_materialized_view_names()
    assert "leat_system" in i.get_schema_names() and "public" in i.get_schema_names(), i.get_schema_names()
    columns = {c["name"]: (str(c["type"]), c["nullable"]) for c in i.get_columns("events")}
    assert columns == {"id": ("BIGINT", False), "user_name": ("TEXT", True), "ts": ("TIMESTAMP", True), "amount": ("NUMERIC(10, 2)", True), "tags": ("ARRAY", True)}, columns
    assert i.get_pk_constraint("users")["constrained_columns"] == ["id"], i.get_pk_constraint("users")
    assert i.get_pk_constraint("users")["name"] == "users_pkey"
    assert i.get_foreign_keys("users") == [] and i.get_unique_constraints("users") == [] and i.get_check_constraints("users") == []
    indexes = {x["name"]: (x["column_names"], x["unique"]) for x in i.get_indexes("totals")}
    assert indexes == {"totals_ix": (["total"], False), "totals_key": (["user_name"], True)}, indexes
    assert i.get_view_definition("plain").strip() == "SELECT id, user_name FROM events;", i.get_view_definition("plain")
    assert i.has_table("events") and not i.has_table("nosuch")
    assert i.get_enums() == [] and i.get_sequence_names() == []
    return i.get_multi_columns()


if sys.argv[1] == "asyncpg":
    import asyncio

    from sqlalchemy.ext.asyncio import create_async_engine

    async def run():
        engine = create_async_engine(url)
        async with engine.connect() as c:
            await c.run_sync(lambda s: check(sa.inspect(s)))
        await engine.dispose()

    asyncio.run(run())
else:
    engine = sa.create_engine(url)
    check(sa.inspect(engine))
    meta = sa.MetaData()
    meta.reflect(engine, views=True)
    assert sorted(meta.tables) == ["events", "plain", "totals", "users"], sorted(meta.tables)
    with engine.connect() as c:
        users = meta.tables["users"]
        assert c.execute(sa.select(users.c.name).where(users.c.id == 1)).scalar_one() == "Ann"
    engine.dispose()
