"""asyncpg asks the catalog for every type that it doesn't know."""
import asyncio
import os

import asyncpg


async def main():
    c = await asyncpg.connect(host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]), user=os.environ["PGUSER"], database=os.environ["PGDATABASE"])
    rows = await c.fetch("SELECT oid, relname, 'pg_class'::regclass AS r FROM pg_class WHERE relname = $1", "events")
    assert len(rows) == 1 and rows[0]["relname"] == "events", rows
    rows = await c.fetch("SELECT relname FROM pg_class WHERE relname = ANY($1::text[]) AND relkind = ANY($2) ORDER BY 1", ["events", "users", "x"], [b"r"])
    assert [r["relname"] for r in rows] == ["events", "users"], rows
    assert await c.fetchval("SELECT tags FROM events WHERE id = $1", 1) == ["a"]
    assert await c.fetchval("SELECT current_schema()") == "public"
    await c.set_type_codec("json", encoder=str, decoder=str, schema="pg_catalog")
    await c.close()


asyncio.run(main())
