package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"leat/internal/types"
)

func TestOpenErrors(t *testing.T) {
	used := filepath.Join(t.TempDir(), "catalog")
	c, err := Open(used, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, c)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Root may open everything, so the permission is the file system's that refuses.
	refuses := func(kind errorfs.OpKind) vfs.FS {
		return errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == kind {
				return &os.PathError{Op: "open", Path: op.Path, Err: os.ErrPermission}
			}
			return nil
		}))
	}
	for _, tt := range []struct {
		name, dir string
		fs        vfs.FS
		code      types.Code
	}{
		{"locked", used, nil, types.Locked},
		{"file instead of folder", file, nil, types.InvalidArgument},
		{"under a file", filepath.Join(file, "x"), nil, types.InvalidArgument},
		{"folder may not be made", "catalog", refuses(errorfs.OpMkdirAll), types.PermissionDenied},
		{"folder may not be locked", "catalog", refuses(errorfs.OpLock), types.PermissionDenied},
		{"folder may not be read", "catalog", refuses(errorfs.OpList), types.PermissionDenied},
		{"folder may not be written", "catalog", refuses(errorfs.OpCreate), types.PermissionDenied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(tt.dir, Options{FS: tt.fs})
			if e := types.AsError(err); e == nil || e.Code != tt.code || e.Hint == "" || !strings.Contains(e.Message, tt.dir) {
				t.Fatalf("%v, want %s with the folder and a hint", err, tt.code)
			}
		})
	}
}

func TestDamagedRecord(t *testing.T) {
	other, err := encode(&Token{ID: "other"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, key, value, message string
	}{
		{"checksum", string(objectKey(FirstUserID)), "\x01{}xxxx", `stream "orders"`},
		{"short", "m", "x", "counter"},
		{"key", "oo", "x", "object"},
		{"another object", string(objectKey(7)), "", "object 7"},
		{"token", "tt", string(other), `token "t"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fs := vfs.NewMem()
			c := open(t, fs)
			update(t, c, func(tx *Tx) error { return tx.Put(stream(tx.NewID(), "orders")) })
			if tt.value == "" {
				b, err := encode(stream(8, "a"))
				if err != nil {
					t.Fatal(err)
				}
				tt.value = string(b)
			}
			if err := c.db.Set([]byte(tt.key), []byte(tt.value), pebble.Sync); err != nil {
				t.Fatal(err)
			}
			closed(t, c)
			_, err := Open("catalog", Options{FS: fs})
			if e := types.AsError(err); e == nil || e.Code != types.Corrupt || !strings.Contains(e.Message, tt.message) || e.Hint == "" || len(e.Errors) != 1 {
				t.Fatalf("got %v", err)
			}
		})
	}
}
