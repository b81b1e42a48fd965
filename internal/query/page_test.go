package query

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"leat/internal/catalog"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

func testPager(cursor string) *pager {
	p := &pager{object: &catalog.Object{ID: 7, Version: 2}, args: map[string]any{"a": int64(1)}, limit: 10}
	p.columns = []types.Column{{Name: "n", Type: types.Of(types.BigInt)}, {Name: "s", Type: types.Of(types.Varchar)}, {Name: "l", Type: types.ListOf(types.Of(types.Varchar))}}
	p.keys, _ = sortKeys([]guard.Order{{Name: "S", Descending: true, NullsFirst: true}}, p.columns)
	p.bound = p.binding()
	p.request.Cursor = cursor
	return p
}

func TestSortKeysAreTotal(t *testing.T) {
	p := testPager("")
	if want := []sortKey{{column: 1, descending: true, nullsFirst: true}, {column: 0}, {column: 2, text: true}}; !slices.Equal(p.keys, want) {
		t.Errorf("%+v", p.keys)
	}
	interval := []types.Column{{Name: "i", Type: types.Of(types.Interval)}}
	if keys, err := sortKeys(nil, interval); err != nil || len(keys) != 2 || !keys[1].text {
		t.Errorf("%+v %v", keys, err)
	}
	for _, o := range []guard.Order{{Name: "x"}, {Column: 4}, {Column: -1}} {
		if _, err := sortKeys([]guard.Order{o}, p.columns); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestCursorsComeBack(t *testing.T) {
	s := NewSigner([]byte("secret"))
	text := func(v string) *string { return &v }
	for _, last := range [][]*string{{nil, nil, nil}, {text(""), text("12"), text("[é]")}, {text(strings.Repeat("x", 1000)), nil, text("")}} {
		token, err := testPager("").cursor(s, last, 3)
		if err != nil {
			t.Fatal(err)
		}
		p := testPager(token)
		if err := p.resume(s); err != nil || p.used != 3 {
			t.Fatalf("%v, %d", err, p.used)
		}
		for i := range last {
			if (last[i] == nil) != (p.last[i] == nil) || last[i] != nil && *last[i] != *p.last[i] {
				t.Errorf("key %d: %v, not %v", i, p.last[i], last[i])
			}
		}
		other := testPager(token)
		other.args["a"] = int64(2)
		other.bound = other.binding()
		if err := other.resume(s); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("a cursor of other arguments: %v", err)
		}
		if err := testPager(token).resume(NewSigner([]byte("other"))); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("a cursor of another folder: %v", err)
		}
	}
	if _, err := testPager("").cursor(s, []*string{text(strings.Repeat("x", maxCursor)), nil, nil}, 1); !types.HasCode(err, types.LimitExceeded) {
		t.Errorf("a large cursor: %v", err)
	}
}

func TestPageBehindNulls(t *testing.T) {
	p := testPager("")
	five := "5"
	p.last = []*string{nil, &five, nil}
	text, args := p.sql(11)
	want := "(c1_ IS NOT NULL OR (c1_ IS NULL AND (c0_ > CAST($_leat_page_1 AS BIGINT) OR c0_ IS NULL OR (c0_ = CAST($_leat_page_1 AS BIGINT) AND (FALSE OR (CAST(c2_ AS VARCHAR) IS NULL AND TRUE))))))"
	if !strings.Contains(text, " WHERE "+want+" ORDER BY c1_ DESC NULLS FIRST, c0_ ASC NULLS LAST, CAST(c2_ AS VARCHAR) ASC NULLS LAST LIMIT 11") || len(args) != 1 || args["_leat_page_1"] != "5" {
		t.Errorf("%s %v", text, args)
	}
}

// A cursor is what any caller sends: even one with a right signature must not panic or take much.
func FuzzCursor(f *testing.F) {
	s := NewSigner([]byte("secret"))
	f.Add([]byte{1, 3, 0, 0, 0}, "x")
	f.Add(binary.AppendUvarint([]byte{1}, 1<<63), "")
	f.Fuzz(func(t *testing.T, payload []byte, token string) {
		p := testPager(s.Sign(testPager("").bound, payload))
		if err := p.resume(s); err == nil {
			if _, args := p.sql(1); len(args) > len(p.keys) {
				t.Errorf("%v", args)
			}
		}
		if err := testPager(token).resume(s); err == nil && token != "" {
			t.Errorf("%q is taken for a cursor", token)
		}
	})
}
