// Package services gives tests the programs of others: clients and servers from the packages of apt, npm, pip and Maven. They are installed once
// into a folder that the checkout ignores, and tests on a machine that can't have them skip with the reason.
package services

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"leat/test/harness"
)

// tries is how often a download is tried: it may fail in passing. Each may take patience.
const (
	tries    = 3
	patience = 5 * time.Minute
)

// Command returns the path of a program, which apt installs from packages if there is none.
func Command(t testing.TB, name string, packages ...string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		t.Skipf("%s is not installed, and this machine has no apt or no right to use it", name)
	}
	locked(t, "apt", func() error {
		if _, err := exec.LookPath(name); err == nil {
			return nil // another test has just installed it
		}
		install := "apt-get install -y -q --no-install-recommends " + strings.Join(packages, " ")
		return retry(func() error { return run("", "sh", "-c", install+" || (apt-get update -q && "+install+")") })
	})
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not in the packages %v", name, packages)
	}
	return path
}

// NPM returns a folder whose node_modules has the packages, each as name@version.
func NPM(t testing.TB, packages ...string) string {
	t.Helper()
	Command(t, "npm", "nodejs", "npm")
	return folder(t, "npm", packages, func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true,"type":"module"}`), 0o644); err != nil {
			return err
		}
		return run(dir, "npm", append([]string{"install", "--no-audit", "--no-fund", "--legacy-peer-deps", "--ignore-scripts"}, packages...)...)
	})
}

// Python returns the interpreter of a virtual environment that has the packages, each as name==version.
func Python(t testing.TB, packages ...string) string {
	t.Helper()
	python := Command(t, "python3", "python3", "python3-venv")
	dir := folder(t, "python", packages, func(dir string) error {
		if err := run(dir, python, "-m", "venv", dir); err != nil {
			return err
		}
		return run(dir, filepath.Join(dir, "bin", "pip"), append([]string{"install", "-q"}, packages...)...)
	})
	return filepath.Join(dir, "bin", "python")
}

// Maven returns the class path of the artifacts, each as group:artifact:version, without what they depend on.
func Maven(t testing.TB, artifacts ...string) string {
	t.Helper()
	Command(t, "java", "openjdk-17-jdk-headless")
	Command(t, "mvn", "maven")
	dir := folder(t, "maven", artifacts, func(dir string) error {
		for _, a := range artifacts {
			err := run(dir, "mvn", "-B", "-q", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy", "-Dartifact="+a, "-DoutputDirectory="+dir)
			if err != nil {
				return err
			}
		}
		return nil
	})
	jars, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil || len(jars) < len(artifacts) {
		t.Fatalf("%v gave the jars %v: %v", artifacts, jars, err)
	}
	return strings.Join(jars, ":")
}

// folder returns a folder of its own for a kind and list of packages, filled once by fill.
func folder(t testing.TB, kind string, packages []string, fill func(dir string) error) string {
	t.Helper()
	sorted := slices.Sorted(slices.Values(packages))
	sum := sha256.Sum256([]byte(strings.Join(sorted, " ")))
	dir := filepath.Join(Cache(), kind+"-"+hex.EncodeToString(sum[:6]))
	done := filepath.Join(dir, ".installed")
	locked(t, filepath.Base(dir), func() error {
		if _, err := os.Stat(done); err == nil {
			return nil
		}
		return retry(func() error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			if err := fill(dir); err != nil {
				return err
			}
			return os.WriteFile(done, []byte(strings.Join(sorted, "\n")+"\n"), 0o644)
		})
	})
	return dir
}

// Cache is the folder of what was installed, which the checkout ignores. LEAT_TEST_CACHE names another one.
func Cache() string {
	if dir := os.Getenv("LEAT_TEST_CACHE"); dir != "" {
		return dir
	}
	return filepath.Join(harness.Root(), "test", "build")
}

// locked runs f while no other process does with the same name, and skips the test where it fails: a registry can't be reached.
func locked(t testing.TB, name string, f func() error) {
	t.Helper()
	if err := os.MkdirAll(Cache(), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(Cache(), name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := f(); err != nil {
		t.Skipf("%s could not be installed: %v", name, err)
	}
}

func retry(f func() error) (err error) {
	for i := range tries {
		if err = f(); err == nil {
			return nil
		}
		time.Sleep(time.Duration(i+1) * 3 * time.Second)
	}
	return err
}

// run runs a program to its end; its error has the end of what it printed.
func run(dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out[max(0, len(out)-600):])
	}
	return nil
}
