package duckdb

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"leat/internal/store"
	"leat/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, o Options) *Store {
	t.Helper()
	o.Incarnation = 1
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// copyFiles copies the store's files as they are.
func copyFiles(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{fileName, fileName + ".wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Env{
		// Expire and seal whenever Maintain is called.
		Open: func(t testing.TB, dir string) store.Store {
			return open(t, Options{Dir: dir, SealAfter: 1, ExpireEvery: 1})
		},
		Crash: copyFiles,
	})
}
