package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// dials are the ways to connect to other servers. Only egress may use them in the server, so that every destination is checked; the command line
// is a client, and connects where its user says.
var dials = map[string][]string{
	"net":  {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialUnix", "DialIP", "Dialer"},
	"http": {"Get", "Post", "PostForm", "Head", "DefaultClient", "DefaultTransport", "Client", "Transport"},
	"tls":  {"Dial", "DialWithDialer", "Dialer"},
}

var dialers = []string{"internal/egress", "internal/cli"}

func TestOnlyEgressConnects(t *testing.T) {
	base := root(t)
	files, egress := 0, 0
	err := filepath.WalkDir(filepath.Join(base, "internal"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name, err := filepath.Rel(base, filepath.Dir(path))
		if err != nil {
			return err
		}
		files++
		for _, use := range dialsIn(t, path) {
			if within(name, dialers) {
				egress++
				continue
			}
			t.Errorf("%s uses %s: connections go out through internal/egress, which checks where to", path, use)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 || egress == 0 {
		t.Errorf("looked at %d files and found %d uses in %v: is this test blind?", files, egress, dialers)
	}
}

// dialsIn finds package.Name of dials in a file. A name of the package that means another one is a false alarm that a new name mends.
func dialsIn(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil // the compiler says it better
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := sel.X.(*ast.Ident); ok {
			for _, name := range dials[pkg.Name] {
				if sel.Sel.Name == name {
					out = append(out, pkg.Name+"."+name)
				}
			}
		}
		return true
	})
	return out
}
