// Package web checks that the built pages are those of their sources in web.
package web

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"leat/test/harness"
	"leat/test/services"
)

func TestBuiltPagesAreCurrent(t *testing.T) {
	source := filepath.Join(harness.Root(), "web")
	var pack struct{ DevDependencies map[string]string }
	b, err := os.ReadFile(filepath.Join(source, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &pack); err != nil {
		t.Fatal(err)
	}
	var packages []string
	for name, version := range pack.DevDependencies {
		packages = append(packages, name+"@"+version)
	}
	modules := filepath.Join(services.NPM(t, packages...), "node_modules")

	// node looks for modules above the files that import them: the sources are built in a copy beside their modules.
	dir := t.TempDir()
	copied, built := filepath.Join(dir, "web"), filepath.Join(dir, "built")
	if err := os.CopyFS(copied, without(source)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(copied, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{filepath.Join(modules, "typescript", "bin", "tsc"), "--noEmit", "-p", "."}, {"build.mjs", built}} {
		cmd := exec.Command("node", args...)
		cmd.Dir = copied
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("node %v: %v\n%s", args, err, out)
		}
	}
	const page = "internal/api/docs.html"
	want, err := os.ReadFile(filepath.Join(built, page))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(harness.Root(), page))
	if err != nil || string(got) != string(want) {
		t.Errorf("%s is not what web builds: run npm install && npm run build in web (%v)", page, err)
	}
}
