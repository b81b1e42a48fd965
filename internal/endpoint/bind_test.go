package endpoint

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"leat/internal/catalog"
	"leat/internal/types"
)

func param(name, typ string, def ...string) catalog.Param {
	t, err := types.ParseType(typ)
	if err != nil {
		panic(err)
	}
	p := catalog.Param{Name: name, Type: t}
	if len(def) > 0 {
		p.Default, p.HasDefault = &def[0], true
	}
	return p
}

func TestBind(t *testing.T) {
	ep := &catalog.Endpoint{Params: []catalog.Param{param("state", "VARCHAR", "CA"), param("n", "INT"), param("ids", "INT[]", "[]"), param("d", "DECIMAL(4,2)", "1.5")}}
	got, err := Bind(ep, map[string]any{"n": "3", "ids": []string{"1", "2"}, "format": "csv", "_why": "1"}, nil)
	if want := (map[string]any{"state": "CA", "n": int64(3), "ids": "[1,2]", "d": "1.5"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = Bind(ep, map[string]any{"n": "3x", "d": "123.4", "stat": "TX"}, nil)
	e := types.AsError(err)
	if e.Code != types.InvalidArgument || e.Path != "n" || len(e.Errors) != 2 || e.Errors[0].Path != "d" || !strings.Contains(e.Errors[1].Hint, "state VARCHAR") {
		t.Errorf("got %+v", e)
	}
	if _, err = Bind(ep, map[string]any{"state": "TX"}, nil); !strings.Contains(types.AsError(err).Hint, "quote") {
		t.Errorf("no hint at quoting: %v", err)
	}
}

func TestFixed(t *testing.T) {
	ep := &catalog.Endpoint{Params: []catalog.Param{param("tenant", "VARCHAR", "none"), param("n", "INT", "1")}}
	fixed := map[string]any{"tenant": json.Number("7"), "other": "spare"}
	got, err := Bind(ep, map[string]any{"n": "3"}, fixed)
	if want := (map[string]any{"tenant": "7", "n": int64(3)}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, sent := range []string{"7", "8"} {
		_, err := Bind(ep, map[string]any{"tenant": sent}, fixed)
		if e := types.AsError(err); e == nil || e.Code != types.PermissionDenied || e.Path != "tenant" {
			t.Errorf("sent %s: got %v", sent, err)
		}
	}
	if _, err := Bind(ep, nil, map[string]any{"n": "x"}); !types.HasCode(err, types.PermissionDenied) || strings.Contains(err.Error(), `"x"`) {
		t.Errorf("a fixed value of another type: got %v", err)
	}
	if got, err := Bind(ep, nil, map[string]any{"tenant": nil}); err != nil || got["tenant"] != nil {
		t.Errorf("fixed to NULL: got %v, %v", got, err)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		params []catalog.Param
		used   []string
		ok     bool
	}{
		{[]catalog.Param{param("n", "INT", "1")}, []string{"N"}, true},
		{[]catalog.Param{param("n", "INT", "x")}, []string{"n"}, false},
		{[]catalog.Param{param("n", "INT")}, nil, false},
		{nil, []string{"n"}, false}, {nil, []string{"1"}, false},
		{[]catalog.Param{param("format", "INT")}, []string{"format"}, false},
	} {
		if err := Check(&catalog.Endpoint{Params: c.params}, c.used); (err == nil) != c.ok {
			t.Errorf("%v %v: %v", c.params, c.used, err)
		}
	}
}

func FuzzConvert(f *testing.F) {
	f.Add("[1,null]")
	f.Add("2024-01-02T03:04:05Z")
	f.Fuzz(func(t *testing.T, text string) {
		for _, typ := range []string{"INT", "DECIMAL(5,2)", "TIMESTAMPTZ", "INT[][]", "JSON", "BLOB", "UUID", "HUGEINT", "INTERVAL"} {
			if v, err := convert(param("p", typ).Type, text); err == nil && v == nil {
				t.Fatalf("%s %q: NULL from text", typ, text)
			}
		}
	})
}
