package chunk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// bodies cuts content into bodies.
func bodies(t *testing.T, name string, content []byte, limit int) (out []string, contentType string) {
	t.Helper()
	c, err := New(name, bytes.NewReader(content), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Records = limit
	for {
		body, kind, _, err := c.Next()
		if errors.Is(err, io.EOF) {
			return out, contentType
		}
		if err != nil {
			t.Fatal(err)
		}
		out, contentType = append(out, string(body)), kind
	}
}

func TestChunksEndAtRecords(t *testing.T) {
	gz, zs := new(bytes.Buffer), new(bytes.Buffer)
	g := gzip.NewWriter(gz)
	io.WriteString(g, "{\"a\":1}\n{\"a\":2}")
	g.Close()
	z, err := zstd.NewWriter(zs)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(z, "a,b\n1,2\n")
	z.Close()
	for _, c := range []struct {
		name, content string
		want          []string
		kind          string
	}{
		{"x.ndjson", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}", []string{"{\"a\":1}\n{\"a\":2}\n", "{\"a\":3}\n"}, "application/x-ndjson"},
		{"x.json", "[{\"a\": 1},\n {\"a\":\n2},{\"a\":3}]", []string{"{\"a\":1}\n{\"a\":2}\n", "{\"a\":3}\n"}, "application/x-ndjson"},
		{"x.csv", "a,b\n1,\"x\ny\"\n2,z\n3,w", []string{"a,b\n1,\"x\ny\"\n2,z\n", "a,b\n3,w\n"}, "text/csv"},
		{"-", "a,b\n1,2\n", []string{"a,b\n1,2\n"}, "text/csv"},
		{"x.gz", gz.String(), []string{"{\"a\":1}\n{\"a\":2}\n"}, "application/x-ndjson"},
		{"x.csv.zst", zs.String(), []string{"a,b\n1,2\n"}, "text/csv"},
		{"empty", "", nil, ""},
	} {
		got, kind := bodies(t, c.name, []byte(c.content), 2)
		if strings.Join(got, "|") != strings.Join(c.want, "|") || kind != c.kind {
			t.Errorf("%s: got %q as %s, want %q as %s", c.name, got, kind, c.want, c.kind)
		}
	}
}

func TestACutArrayIsAnError(t *testing.T) {
	c, err := New("x.json", strings.NewReader(`[{"a":1},{"a":`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for err == nil {
		_, _, _, err = c.Next()
	}
	if errors.Is(err, io.EOF) {
		t.Error("the cut was not noticed")
	}
}

func TestBulkLinesAreWhole(t *testing.T) {
	var content strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&content, "{\"a\":%d}\n", i)
	}
	text := strings.TrimSuffix(content.String(), "\n")
	for _, live := range []bool{false, true} {
		c, err := New("x.ndjson", strings.NewReader(text), Options{Bytes: 100, Live: live})
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		records := 0
		for {
			body, _, n, err := c.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if body[len(body)-1] != '\n' {
				t.Fatalf("a body ends within a record: %q", body)
			}
			got.Write(body)
			records += n
		}
		if got.String() != content.String() || records != 1000 {
			t.Errorf("live %t: %d records of 1000", live, records)
		}
	}
}

// TestBodiesInBuffers hands buffers on from body to body, and changes from records to bodies of any size on the way.
func TestBodiesInBuffers(t *testing.T) {
	var content strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&content, "{\"a\":%q}\n", strings.Repeat("x", i*i%197))
	}
	text := strings.TrimSuffix(content.String(), "\n")
	for n := 1; n < 5000; n += 97 {
		for _, live := range []bool{false, true} {
			var last []byte
			buffer := func() []byte {
				for i := range last {
					last[i] = '?'
				}
				return last
			}
			c, err := New("x.ndjson", iotest.DataErrReader(strings.NewReader(text)), Options{Bytes: n, Live: live, Buffer: buffer})
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for calls := 0; ; calls++ {
				c.Records = 0
				if calls%5 == 0 {
					c.Records = 3
				}
				body, _, _, err := c.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got.Write(body)
				last = body
			}
			if got.String() != content.String() {
				t.Fatalf("%d bytes, live %t: what comes out differs", n, live)
			}
		}
	}
}
