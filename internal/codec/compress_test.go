package codec

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"leat/internal/types"
)

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func zstandard(t *testing.T, b []byte, opts ...zstd.EOption) []byte {
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, opts...)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func TestDecompress(t *testing.T) {
	text := bytes.Repeat([]byte(`{"a":1}`+"\n"), 10_000)
	noise := make([]byte, 9<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 7)
	}
	bomb := make([]byte, 2<<20)
	limits := Limits{Body: 1 << 20, Decoded: 1 << 20}
	z := zstandard(t, text)
	for _, c := range []struct {
		name, encoding string
		body           []byte
		code           types.Code
	}{
		{"plain", "", text, ""},
		{"identity", "identity", text, ""},
		{"gzip", "gzip", gzipped(text), ""},
		{"gzip by its bytes", "", gzipped(text), ""},
		{"gzip of two members", "GZIP", append(gzipped(text[:8000]), gzipped(text[8000:])...), ""},
		{"zstd", "zstd", z, ""},
		{"zstd by its bytes", "", z, ""},
		{"too large", "", bomb, types.PayloadTooLarge},
		{"gzip bomb", "gzip", gzipped(bomb), types.PayloadTooLarge},
		{"zstd bomb", "zstd", zstandard(t, bomb), types.PayloadTooLarge},
		{"zstd window", "zstd", zstandard(t, noise, zstd.WithWindowSize(16<<20), zstd.WithSingleSegment(false))[:1<<10], types.PayloadTooLarge},
		{"gzip cut", "gzip", gzipped(text)[:50], types.InvalidArgument},
		{"zstd cut", "zstd", z[:len(z)-5], types.InvalidArgument},
		{"not gzip", "gzip", text, types.InvalidArgument},
		{"not zstd", "zstd", text, types.InvalidArgument},
		{"other", "br", text, types.UnsupportedMedia},
	} {
		for range 2 { // the second time with pooled readers
			got, err := Decompress(c.encoding, bytes.NewReader(c.body), limits)
			if c.code == "" && (err != nil || !bytes.Equal(got, text)) {
				t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
			}
			if c.code != "" && !types.HasCode(err, c.code) {
				t.Errorf("%s: got %v, want %s", c.name, err, c.code)
			}
		}
	}
	gone := io.MultiReader(strings.NewReader("{"), iotest.ErrReader(errors.New("connection reset")))
	if _, err := Decompress("", gone, Limits{}); !types.HasCode(err, types.InvalidArgument) {
		t.Errorf("client gone: %v", err)
	}
}

func TestSniff(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		media, head string
		want        Format
	}{
		{form, `{"a":1}`, NDJSON}, {form, "\xEF\xBB\xBF [", JSONArray}, {form, "id,name\n1,x\n", CSV}, {form, "garbage", NDJSON}, {form, "", NDJSON},
		{"text/csv; charset=utf-8", "[a", CSV}, {"application/json", "[", JSONArray}, {"application/json", "a,b", NDJSON},
		{"application/x-ndjson", " \n[", JSONArray}, {"Application/X-NDJSON", "{", NDJSON}, {"", "PAR1", Parquet},
	} {
		if got := Sniff(c.media, []byte(c.head)); got != c.want {
			t.Errorf("%s %q: got %s, want %s", c.media, c.head, got, c.want)
		}
	}
}
