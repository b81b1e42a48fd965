package api

import (
	"fmt"
	"strings"
	"testing"

	"leat/internal/types"
)

func TestLookups(t *testing.T) {
	h := newHarness(t)
	w := h.do("GET", "/v1/views/totals/rows/a%2Fb%20%25", "", "Leat-After", testPosition.Token())
	h.want(w, 200, `{"n":0}`)
	if l := h.fake.lookups[0]; l.View != "totals" || l.Key == nil || *l.Key != "a/b %" || l.After.Token() != testPosition.Token() {
		t.Errorf("lookup %+v", l)
	}
	if w.Header().Get("Leat-Position") != testPosition.Token() || w.Header().Get("Leat-Watermark") != "" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", w.Header())
	}
	h.wantProblem(h.do("GET", "/v1/views/totals/rows/nobody", ""), types.NotFound)
	h.wantProblem(h.do("GET", "/v1/views/totals/rows/x?a=1", ""), types.InvalidArgument)
	for _, key := range []string{"%2E%2E", "%2e", "a%2F%2Fb", "%3F%23"} {
		if w := h.do("GET", "/v1/views/totals/rows/"+key, ""); w.Code != 200 {
			t.Errorf("key %s: %d %s", key, w.Code, w.Body)
		}
	}

	w = h.do("GET", "/v1/views/totals/rows?a=x%26y&b.null=&_limit=2&format=ndjson", "")
	h.want(w, 200, "{\"n\":0}\n{\"n\":1}")
	l := h.fake.lookups[len(h.fake.lookups)-1]
	if l.Key != nil || fmt.Sprint(l.Columns) != "map[a:x&y b.null:]" || l.Limit != 2 {
		t.Errorf("lookup %+v", l)
	}
	next := "/v1/views/totals/rows?_cursor=more&_limit=2&a=x%26y&b.null=&format=ndjson"
	if w.Header().Get("Leat-Cursor") != "more" || w.Header().Get("Link") != "<"+next+`>; rel="next"` || w.Header().Get("Leat-Watermark") != "1970-01-01T00:00:01.000001Z" {
		t.Errorf("headers %v", w.Header())
	}
	if w = h.do("GET", next, ""); w.Header().Get("Leat-Cursor") != "" || w.Header().Get("Link") != "" || h.fake.lookups[len(h.fake.lookups)-1].Cursor != "more" {
		t.Errorf("the last page: %v", w.Header())
	}
	h.wantProblem(h.do("GET", "/v1/views/totals/rows?_limit=1000000", ""), types.InvalidArgument)
	h.wantProblem(h.do("GET", "/v1/views/totals/rows?_wrong=1", ""), types.InvalidArgument)

	reader := h.token("read:other")
	h.wantProblem(h.do("GET", "/v1/views/totals/rows", "", "Authorization", "Bearer "+reader), types.PermissionDenied)
	if !strings.HasPrefix(h.do("GET", "/v1/views/other/rows", "", "Authorization", "Bearer "+reader).Body.String(), "{") {
		t.Error("a token with the scope can't read")
	}
}
