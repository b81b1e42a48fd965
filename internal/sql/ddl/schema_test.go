package ddl

import (
	"testing"
	"time"

	"leat/internal/types"
)

func TestStreamOf(t *testing.T) {
	s := &types.Schema{}
	s.Add("id", types.Of(types.BigInt), "id")
	s.Add("Größe", types.Of(types.Double), "Größe")
	s.Add("ts", types.Of(types.TimestampTZ))
	s.Add("userId_2", types.Of(types.BigInt), "userId")
	s.Add("at", types.StructOf(types.Field{Name: "a", Key: "a", Type: types.Of(types.BigInt)}, types.Field{Name: "A_2", Key: "A", Type: types.Of(types.BigInt)}), "it", "at")
	columns := "CREATE STREAM orders (\n  id BIGINT,\n  \"Größe\" DOUBLE,\n  ts TIMESTAMP WITH TIME ZONE,\n" +
		"  \"userId_2\" BIGINT PATH '$.userId',\n  \"at\" STRUCT(a BIGINT, \"A_2\" BIGINT KEY 'A') PATH '$.it.at'"
	for _, tt := range []struct {
		rule types.TimeRule
		want string
	}{
		{types.TimeRule{}, columns + "\n)"},
		{types.TimeRule{Column: 3}, columns + "\n)\nWITH (event_time = ts)"},
		{types.TimeRule{Column: 3, Watermarked: true, Delay: 5 * time.Second, MaxFuture: time.Minute, Idle: -1},
			columns + ",\n  WATERMARK FOR ts AS ts - INTERVAL '5 seconds'\n)\nWITH (max_future = '1 minute', idle = '0 seconds')"},
	} {
		got := Print(StreamOf("orders", s, tt.rule))
		if got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", got, tt.want)
		}
		checkStable(t, got)
	}
}

func TestReplaceParams(t *testing.T) {
	got := ReplaceParams("SELECT $A, '$a', ? -- $a\n, ?, $$ $a $$, \"$a\", $ab", func(name string) string { return "<" + name + ">" })
	if want := "SELECT <a>, '$a', <1> -- $a\n, <2>, $$ $a $$, \"$a\", <ab>"; got != want {
		t.Errorf("got %s", got)
	}
}
