package pebblelog

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/bus"
	"leat/internal/types"
)

var ten = types.PartitionID{Stream: 10}

// readAround reads a partition from its start over all damage; it returns the rows read and the offsets that were skipped.
func readAround(t *testing.T, l *Log) (rows int, skipped types.Offset) {
	t.Helper()
	for from := types.Offset(0); ; {
		got, err := l.Read(ctx, ten, from, 1<<20)
		var damage *bus.CorruptError
		switch {
		case errors.As(err, &damage):
			if damage.From != from || damage.Next <= from {
				t.Fatalf("no way on: %+v", damage)
			}
			skipped += damage.Next - from
			from = damage.Next
		case err != nil:
			t.Fatal(err)
		case len(got) == 0:
			return rows, skipped
		}
		for _, e := range got {
			if e.First != from {
				t.Fatalf("entry at %d, expected at %d", e.First, from)
			}
			rows += e.Batch.Rows
			from = e.Next
		}
	}
}

func TestDamagedEntries(t *testing.T) {
	l := configured(t, "log", Options{FS: vfs.NewMem(), TailBytes: -1}, 1)
	defer closeLog(t, l)
	for range 6 {
		if _, err := l.Append(ctx, appendOne(0, intBatch(make([]int64, 100)...))); err != nil {
			t.Fatal(err)
		}
	}
	for entry, damage := range map[int]func([]byte) []byte{
		1: func(v []byte) []byte { v[len(v)-1] ^= 1; return v },
		3: func(v []byte) []byte { v[5] ^= 1; return v },
		4: func(v []byte) []byte { return v[:3] },
	} {
		key := entryKey(ten, types.Offset(entry*100+99))
		v, err := l.get(key)
		if err != nil || v == nil {
			t.Fatal(v, err)
		}
		if err := l.db.Set(key, damage(v), pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if rows, skipped := readAround(t, l); rows != 300 || skipped != 300 {
		t.Fatalf("%d rows read, %d skipped", rows, skipped)
	}
}

// TestDamagedBlock flips a byte in the middle of Pebble's first table, where entries follow, and of its last, where the
// partition ends.
func TestDamagedBlock(t *testing.T) {
	const entries = 400
	for name, pick := range map[string]func([]string) string{"middle": func(s []string) string { return s[0] }, "end": func(s []string) string { return s[len(s)-1] }} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			o := Options{FS: fs, TailBytes: -1, MemTableBytes: 1 << 20}
			l := configured(t, "log", o, 1)
			b := benchBids(1, 100)[0]
			for i := range entries {
				if _, err := l.Append(ctx, appendOne(0, b)); err != nil {
					t.Fatal(err)
				}
				if i%100 == 99 {
					if err := l.db.Flush(); err != nil {
						t.Fatal(err)
					}
				}
			}
			closeLog(t, l)
			flipMiddle(t, fs, "log/"+pick(tables(t, fs)))
			l = mustOpen(t, "log", o)
			defer closeLog(t, l)
			rows, skipped := readAround(t, l)
			if lost := entries*100 - rows; lost <= 0 || lost > 10_000 || int(skipped) < lost || name == "middle" && int(skipped) != lost {
				t.Fatalf("%d rows read, %d skipped", rows, skipped)
			}
			ack, err := l.Append(ctx, appendOne(0, intBatch(1)))
			if err != nil || ack.Ranges[0].First < entries*100 {
				t.Fatalf("appends must go on after what was given: %+v, %v", ack, err)
			}
			if again, _ := readAround(t, l); again != rows+1 {
				t.Fatalf("%d rows read after one more append, were %d", again, rows)
			}
		})
	}
}

// TestMissingAndCutTables opens a log whose table was removed or cut: that is damage, said with what to do.
func TestMissingAndCutTables(t *testing.T) {
	for name, damage := range map[string]func(fs vfs.FS, table string) error{
		"missing": func(fs vfs.FS, table string) error { return fs.Remove(table) },
		"cut": func(fs vfs.FS, table string) error {
			f, err := fs.Create(table, vfs.WriteCategoryUnspecified)
			if err != nil {
				return err
			}
			return f.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			o := Options{FS: fs, TailBytes: -1}
			l := configured(t, "log", o, 1)
			if _, err := l.Append(ctx, appendOne(0, intBatch(1))); err != nil {
				t.Fatal(err)
			}
			if err := l.db.Flush(); err != nil {
				t.Fatal(err)
			}
			closeLog(t, l)
			if err := damage(fs, "log/"+tables(t, fs)[0]); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(ctx, "log", o); !types.HasCode(err, types.Corrupt) || types.AsError(err).Hint == "" {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// tables returns the names of Pebble's tables in the order in which they were made.
func tables(t *testing.T, fs vfs.FS) []string {
	t.Helper()
	names, err := fs.List("log")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".sst") })
	if len(names) == 0 {
		t.Fatal("no tables")
	}
	return names
}

func flipMiddle(t *testing.T, fs vfs.FS, name string) {
	t.Helper()
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0xff
	if _, err := f.WriteAt(b, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
