// node-postgres, postgres.js and Knex: parameters without types, and what they ask of the catalog.
import assert from 'node:assert';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.argv[2], 'x.js'));
const pg = require('pg'), postgres = require('postgres'), knex = require('knex');
const at = { host: process.env.PGHOST, port: +process.env.PGPORT, user: process.env.PGUSER, database: process.env.PGDATABASE };

const c = new pg.Client(at);
await c.connect();
assert.deepEqual((await c.query('SELECT id FROM events WHERE id = ANY($1) ORDER BY id', [[1, 2, 3]])).rows, [{ id: '1' }, { id: '2' }]);
assert.deepEqual((await c.query('SELECT relname, relkind FROM pg_class WHERE relname = $1', ['totals'])).rows, [{ relname: 'totals', relkind: 'm' }]);
await c.end();

const sql = postgres({ ...at, username: at.user });
assert.deepEqual([...(await sql`SELECT tags FROM events WHERE id = ${1}`)], [{ tags: ['a'] }]);
assert.deepEqual([...(await sql`SELECT user_name FROM events WHERE user_name = ANY(${['ann', 'x']})`)], [{ user_name: 'ann' }]);
await assert.rejects(sql`SELECT nosuch FROM events WHERE id = ${1}`, /nosuch/);
await sql.end();

const k = knex({ client: 'pg', connection: at });
assert.equal(await k.schema.hasTable('events'), true);
assert.equal(await k.schema.hasTable('nosuch'), false);
assert.equal(await k.schema.hasColumn('events', 'amount'), true);
const info = await k('events').columnInfo();
assert.equal(info.id.type, 'bigint');
assert.equal(info.id.nullable, false);
await k.destroy();
