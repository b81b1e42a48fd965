package auth

import (
	"slices"
	"strings"

	"leat/internal/types"
)

// takesObject says which actions name what they are for.
var takesObject = map[Action]bool{Admin: false, Create: false, Raw: false, Append: true, Read: true}

// ParseScope reads a scope's text: admin, create, raw, append:STREAM or read:OBJECT, where STREAM and OBJECT are
// names or * for all. The error is types.InvalidArgument.
func ParseScope(text string) (Scope, error) {
	action, object, named := strings.Cut(text, ":")
	takes, known := takesObject[Action(action)]
	switch {
	case !known:
		return Scope{}, types.Errorf(types.InvalidArgument, "unknown scope %.80q", text).
			WithHint("the scopes are admin, create, raw, append:STREAM and read:OBJECT")
	case !takes && named:
		return Scope{}, types.Errorf(types.InvalidArgument, "scope %s takes no object", action).WithHint("write %s", action)
	case !takes:
		return Scope{Action: Action(action)}, nil
	case object == "":
		return Scope{}, types.Errorf(types.InvalidArgument, "scope %s needs an object", action).
			WithHint("write %s:NAME for one, or %s:* for all", action, action)
	case object != "*" && types.CheckObjectName(object) != nil:
		return Scope{}, types.Errorf(types.InvalidArgument, "scope %.80q: %.80q is not a name", text, object).
			WithHint("names match [a-z_][a-z0-9_]{0,62}; * stands for all")
	}
	return Scope{Action: Action(action), Object: object}, nil
}

// ParseScopes reads several scopes, sorts them and drops repeated ones. There must be at least one.
func ParseScopes(texts []string) ([]Scope, error) {
	if len(texts) == 0 {
		return nil, types.Errorf(types.InvalidArgument, "a token needs at least one scope").
			WithHint("the scopes are admin, create, raw, append:STREAM and read:OBJECT")
	}
	if len(texts) > maxScopes {
		return nil, types.Errorf(types.LimitExceeded, "%d scopes; a token may have %d", len(texts), maxScopes).
			WithHint("read:* and append:* stand for all objects")
	}
	texts = slices.Clone(texts)
	slices.Sort(texts)
	texts = slices.Compact(texts)
	scopes := make([]Scope, len(texts))
	for i, text := range texts {
		s, err := ParseScope(text)
		if err != nil {
			return nil, err
		}
		scopes[i] = s
	}
	return scopes, nil
}

// String is the scope's text; ParseScope reads it back.
func (s Scope) String() string {
	if s.Object == "" {
		return string(s.Action)
	}
	return string(s.Action) + ":" + s.Object
}
