package control

import (
	"strings"
	"testing"

	"leat/internal/catalog"
	"leat/internal/codec"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// decoder reads records of a stream as ingest does.
func decoder(o *catalog.Object) *codec.Decoder {
	s := o.Stream
	return codec.NewDecoder(s.Schema, codec.Options{Name: o.Name, Key: s.PrimaryKey, Closed: s.Closed,
		Fixed: append([]int32{s.VersionColumn}, s.PartitionBy...), EventTime: s.Time.Column})
}

// The hint of a dead letter is the statement that lets the record in.
func TestHintsOfRecordsRun(t *testing.T) {
	const stream = `CREATE STREAM s (id BIGINT, ts TIMESTAMP, small TINYINT, u UTINYINT, d DECIMAL(4,2), f FLOAT, day DATE, clock TIME, uu UUID, b BOOLEAN,
		h HUGEINT, l BIGINT[], st STRUCT(a BIGINT, a_2 INT KEY 'A'), m MAP(VARCHAR, BIGINT), must VARCHAR, "Odd ""name" INT, iv INTERVAL, blob BLOB,
		part BIGINT, WATERMARK FOR ts) PARTITION BY (part) WITH (closed = true);
		CREATE TABLE t (k BIGINT, v BIGINT, n BIGINT, PRIMARY KEY (k), VERSION n)`
	for _, tt := range []struct {
		object, record string
		mended         bool // by the hint; otherwise no statement can
	}{
		{"s", `{"id":"x"}`, true}, {"s", `{"id":1.5}`, true}, {"s", `{"id":18446744073709551615}`, true}, {"s", `{"id":1e400}`, true}, {"s", `{"id":{"a":1}}`, true},
		{"s", `{"id":[1]}`, true}, {"s", `{"id":true}`, true}, {"s", `{"small":200}`, true}, {"s", `{"small":-1.5}`, true}, {"s", `{"u":-1}`, true}, {"s", `{"u":256}`, true},
		{"s", `{"d":1.234}`, true}, {"s", `{"d":1000}`, true}, {"s", `{"f":1e300}`, true}, {"s", `{"h":1e60}`, true}, {"s", `{"day":"soon"}`, true}, {"s", `{"day":7}`, true},
		{"s", `{"clock":"x"}`, true}, {"s", `{"uu":"x"}`, true}, {"s", `{"b":"maybe"}`, true}, {"s", `{"l":{"a":1}}`, true}, {"s", `{"l":["x"]}`, true}, {"s", `{"l":[1.5]}`, true},
		{"s", `{"st":{"a":"x"}}`, true}, {"s", `{"st":{"new":1}}`, true}, {"s", `{"st":7}`, true}, {"s", `{"m":{"k":"x"}}`, true}, {"s", `{"m":[1]}`, true},
		{"s", `{"ts":"later"}`, true}, {"s", `{"iv":"x"}`, true}, {"s", `{"blob":"*"}`, true}, {"s", `{"Odd \"name":"x"}`, true},
		{"s", `{"new":1}`, true}, {"s", `{"New field":{"a":[1]}}`, true}, {"s", `{"must":null}`, true}, {"s", `{"part":"x"}`, false},
		{"t", `{"k":1,"v":"x"}`, true}, {"t", `{"k":"x"}`, false}, {"t", `{"k":1,"n":"x"}`, false}, {"t", `{"v":1}`, false},
	} {
		t.Run(tt.object+tt.record, func(t *testing.T) {
			w := open(t)
			w.must(t, stream)
			if strings.Contains(tt.record, "must") {
				w.must(t, "ALTER STREAM s ALTER must SET NOT NULL")
			}
			reject := func() *types.Error {
				d, err := decoder(w.Catalog.Snapshot().ByName(tt.object)).Decode([]byte(tt.record), codec.NDJSON)
				if err != nil {
					t.Fatal(err)
				}
				if len(d.Rejects) == 0 {
					return nil
				}
				return d.Rejects[0].Err
			}
			first := reject()
			if first == nil || first.Hint == "" {
				t.Fatalf("%v has no hint", first)
			}
			if !tt.mended {
				if _, err := ddl.Parse(first.Hint); err == nil {
					t.Errorf("a statement that can't run: %s", first.Hint)
				}
				return
			}
			w.must(t, first.Hint)
			if again := reject(); again != nil {
				t.Errorf("after %s: %v", first.Hint, again)
			}
		})
	}
}

// A hint of control that is a statement runs and gets its user on.
func TestHintsOfDefinitionsRun(t *testing.T) {
	const more = `; CREATE TABLE keyed (k BIGINT, v BIGINT, n BIGINT, PRIMARY KEY (k), VERSION n); CREATE ENDPOINT e2 AS SELECT k FROM keyed ;
		CREATE STREAM part (a BIGINT, b BIGINT) PARTITION BY (a)`
	for _, tt := range []struct{ script, hint string }{
		{"DROP STREAM s", "DROP STREAM s; DROP ENDPOINT e; DROP VIEW v;"},
		{"DROP STREAM s; DROP TABLE keyed", "DROP STREAM s; DROP TABLE keyed; DROP ENDPOINT e; DROP ENDPOINT e2; DROP VIEW v;"},
		{"DROP VIEW v", "DROP VIEW v; DROP ENDPOINT e;"},
		{"DROP TABLE part", "DROP STREAM part"},
		{"SHOW CREATE TABLE s", "SHOW CREATE STREAM s"},
		{"ALTER STREAM s ALTER ts TYPE VARCHAR", "ALTER STREAM s DROP EVENT TIME, ALTER COLUMN ts TYPE VARCHAR"},
		{"ALTER STREAM s DROP COLUMN ts", "ALTER STREAM s DROP EVENT TIME, DROP COLUMN ts"},
		{"CREATE OR REPLACE STREAM s (id BIGINT, ts TIMESTAMP)", "ALTER STREAM s DROP COLUMN n"},
		{"CREATE OR REPLACE STREAM s (id BIGINT, n BIGINT)", "ALTER STREAM s DROP EVENT TIME, DROP COLUMN ts"},
		{"CREATE OR REPLACE STREAM s (id BIGINT, ts VARCHAR, n BIGINT)", "ALTER STREAM s DROP EVENT TIME, ALTER COLUMN ts TYPE VARCHAR"},
		{"CREATE OR REPLACE STREAM s (id BIGINT, ts TIMESTAMPTZ, n BIGINT)", "ALTER STREAM s ALTER COLUMN ts TYPE TIMESTAMP WITH TIME ZONE"},
		{"CREATE OR REPLACE STREAM s (id STRUCT(a_2 INT KEY 'A'), ts TIMESTAMP, n BIGINT)", "ALTER STREAM s ALTER COLUMN id TYPE STRUCT(a_2 INTEGER KEY 'A')"},
		{"SHOW CREATE leat_system.jobs", "DESCRIBE leat_system.jobs"},
		{"ALTER STREAM part DROP a", ""}, {"ALTER STREAM part ALTER a TYPE DOUBLE", ""}, {"ALTER TABLE keyed DROP n", ""}, {"ALTER TABLE keyed ALTER k DROP NOT NULL", ""},
		{"ALTER VIEW s RENAME TO x", ""}, {"CREATE STREAM v (a INT)", ""}, {"CREATE STREAM s (a INT)", ""}, {"ALTER STREAM s RENAME TO z", ""},
	} {
		t.Run(tt.script, func(t *testing.T) {
			w := open(t)
			w.System = []string{"leat_system.jobs"}
			w.must(t, base+more)
			_, err := w.run(t, tt.script)
			if err == nil {
				t.Fatal("no error")
			}
			hint := types.AsError(err).Hint
			if tt.hint == "" {
				if _, err := ddl.Parse(hint); err == nil || hint == "" {
					t.Errorf("the hint %q has the form of a statement", hint)
				}
				return
			}
			if got := strings.TrimPrefix(hint, "in one script: "); got != tt.hint {
				t.Fatalf("hint %q, want %q", got, tt.hint)
			}
			w.must(t, tt.hint)
			w.agree(t)
		})
	}
}
