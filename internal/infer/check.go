package infer

import (
	"bytes"

	"leat/internal/codec/jsonscan"
	"leat/internal/types"
)

// checker refuses records that make no rows. It remembers names, as most records have those of the one before.
type checker struct {
	root keySet
	// visit numbers the objects looked at.
	visit int
}

// keySet are the good names that objects of one place had.
type keySet struct {
	names map[string]*seenKey
}

// seenKey is a name, the last object that had it, and what objects under it had.
type seenKey struct {
	visit int
	below keySet
}

// maxRemembered is how many names of one place are remembered.
const maxRemembered = 4096

// check refuses a record that is no JSON object, or has keys that cannot name columns.
func (c *checker) check(r []byte) *types.Error {
	end, err := jsonscan.Skip(r, 0)
	switch {
	case err != jsonscan.OK:
		return types.Errorf(types.InvalidRecord, "%s", err)
	case r[0] != '{' || jsonscan.Space(r, end) != len(r):
		return types.Errorf(types.InvalidRecord, "the record is not a JSON object")
	}
	return c.keys(r, 0, &c.root)
}

func (c *checker) keys(r []byte, depth int, set *keySet) (bad *types.Error) {
	if len(set.names) > maxRemembered || set.names == nil {
		set.names = map[string]*seenKey{}
	}
	c.visit++
	visit := c.visit
	jsonscan.Members(r, func(key, v []byte) bool {
		name := unescape(key)
		k := set.names[string(name)]
		if k == nil {
			if err := types.CheckColumnName(string(name)); err != nil {
				bad = types.Errorf(types.InvalidRecord, "%s", types.AsError(err).Message).WithHint("rename the field")
				return false
			}
			k = &seenKey{}
			set.names[string(name)] = k
		}
		if k.visit == visit {
			bad = types.Errorf(types.InvalidRecord, "the key %q appears twice", name)
			return false
		}
		k.visit = visit
		if v[0] == '{' && depth < types.MaxDepth {
			bad = c.keys(v, depth+1, &k.below)
		}
		return bad == nil
	})
	return bad
}

// unescape returns what a JSON text stands for: itself, where it has no escapes.
func unescape(s []byte) []byte {
	if bytes.IndexByte(s, '\\') < 0 {
		return s
	}
	return jsonscan.Unescape(nil, s)
}
