package query

import (
	"testing"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

func TestAuthorise(t *testing.T) {
	v := &guard.Verdict{Relations: []guard.Relation{{ID: 10, Name: "a"}, {ID: catalog.DeadLetters, Name: "leat_system.dead_letters"}}}
	reader := auth.Principal{ID: "x", Scopes: []auth.Scope{{Action: auth.Read, Object: "*"}}}
	for _, p := range []auth.Principal{reader, {}} {
		if err := authorise(p, v); !types.HasCode(err, types.PermissionDenied) {
			t.Errorf("%v: got %v", p, err)
		}
	}
	if err := authorise(auth.Local, v); err != nil {
		t.Error(err)
	}
}

func TestPlacesAreTheScripts(t *testing.T) {
	e := types.AsError(Text{Script: "A;\n  SELECT", Offset: 5}.place(types.Errorf(types.SyntaxError, "x").At(1, 3)))
	if e.Line != 2 || e.Column != 5 {
		t.Errorf("got %d:%d", e.Line, e.Column)
	}
}
