package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"leat/internal/types"
)

func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leat.toml")
	text := "data = \"from-file\"\nlisten = \"127.0.0.1:1\"\nmax-body = \"1MiB\"\nquery-timeout = \"5s\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"LEAT_LISTEN": "127.0.0.1:2", "LEAT_MAX_BODY": "2MiB"}
	fromFlags := DefaultConfig()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	bindFlags(flags, &fromFlags)
	if err := flags.Parse([]string{"--max-body", "3MiB", "--hosts", "a,b"}); err != nil {
		t.Fatal(err)
	}
	got, err := resolve(flags, fromFlags, file, func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	if got.Data != "from-file" || got.Listen != "127.0.0.1:2" || got.MaxBody != 3<<20 || got.Timeout.Seconds() != 5 || strings.Join(got.Hosts, " ") != "a b" {
		t.Errorf("got %+v", got)
	}
}

func TestConfigurationFaultsAreNamedTogether(t *testing.T) {
	c := DefaultConfig()
	c.Listen, c.Durability, c.MaxInFlight = "nowhere", "maybe", 1
	e := types.AsError(c.Validate())
	if e == nil || len(e.Errors) != 3 {
		t.Fatalf("got %+v, want three faults", e)
	}
	for _, bad := range []string{"data = 1", "dat = \"x\"", "data = \"x"} {
		file := filepath.Join(t.TempDir(), "leat.toml")
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.load(file, func(string) string { return "" }); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]int64{"64MiB": 64 << 20, "2GB": 2e9, "512k": 512 << 10, "7": 7, "1.5 GiB": 3 << 29} {
		var b Bytes
		if err := b.Set(text); err != nil || int64(b) != want {
			t.Errorf("%s: got %d, %v", text, b, err)
		}
		var again Bytes
		if err := again.Set(b.String()); err != nil || again != b {
			t.Errorf("%s printed as %s", text, b)
		}
	}
	var b Bytes
	for _, text := range []string{"", "x", "-1", "1PiB"} {
		if b.Set(text) == nil {
			t.Errorf("%q is read as %d", text, b)
		}
	}
}

func TestASecondServerIsToldWhoHoldsTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	_, fresh, lock, err := openData(dir, "127.0.0.1:4280")
	if err != nil || !fresh {
		t.Fatalf("fresh %t, %v", fresh, err)
	}
	defer lock.Close()
	_, _, _, err = openData(dir, "127.0.0.1:9")
	if !types.HasCode(err, types.Locked) || !strings.Contains(err.Error(), "127.0.0.1:4280") {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := openData(file, ""); !types.HasCode(err, types.InvalidArgument) {
		t.Errorf("a file instead of the folder: %v", err)
	}
}
