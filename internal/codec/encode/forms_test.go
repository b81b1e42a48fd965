package encode

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"pgregory.net/rapid"

	"leat/internal/types"
)

func TestAcceptIsWeighed(t *testing.T) {
	for _, c := range []struct{ name, accept, want string }{
		{"", "", "json"}, {"", "*/*", "json"}, {"CSV", "", "csv"}, {"JSONEachRow", "", "ndjson"}, {"TabSeparatedWithNames", "", "tsv"}, {"parquet", "text/csv", "parquet"},
		{"", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"},
		{"", "text/csv;q=0.5, application/x-ndjson", "ndjson"}, {"", "text/csv, application/x-ndjson", "csv"}, {"", "application/x-ndjson;q=0.5,text/*;q=0.5", "ndjson"},
		{"", "text/*", "csv"}, {"", "text/*, text/csv;q=0", "tsv"}, {"", "*/*, application/json;q=0", "ndjson"}, {"", "application/*;q=0.1, text/csv;q=0.05", "json"},
		{"", "TEXT/CSV ; q=1.0 ; header=present", "csv"}, {"", "image/png", ""}, {"", "text/csv;q=0", ""}, {"", "text/csv;q=2", ""}, {"", "text/csv;q=NaN", ""}, {"xml", "", ""},
	} {
		f, err := Negotiate(c.name, c.accept)
		if f.Name != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q, %q: %q, %v", c.name, c.accept, f.Name, err)
		}
		if want := map[bool]types.Code{true: types.InvalidArgument, false: types.NotAcceptable}[c.name != ""]; err != nil && !types.HasCode(err, want) {
			t.Errorf("%q, %q: %v", c.name, c.accept, err)
		}
	}
}

func TestNegotiateCoding(t *testing.T) {
	for accept, want := range map[string]Coding{
		"": Identity, "gzip": Gzip, "gzip, deflate, br, zstd": Zstd, "gzip, deflate, br": Gzip, "br;q=1, gzip;q=0.8": Brotli, "gzip;q=0": Identity, "deflate": Identity,
		"*": Zstd, "*, zstd;q=0": Gzip, "*;q=0": Identity, "identity, gzip;q=0.5": Identity, "identity;q=0.5, gzip": Gzip, "X-GZIP": Gzip, "gzip;q=x": Identity, ",,;q=1": Identity,
	} {
		if got := NegotiateCoding(accept); got != want {
			t.Errorf("%q: %q, not %q", accept, got, want)
		}
	}
}

func TestCompressorsAreUsedAgain(t *testing.T) {
	var p Compressors
	rapid.Check(t, func(t *rapid.T) {
		coding := rapid.SampledFrom([]Coding{Zstd, Gzip, Brotli}).Draw(t, "coding")
		parts := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 3000)).Draw(t, "parts")
		var packed bytes.Buffer
		z := p.Get(coding, &packed)
		for _, b := range parts {
			if _, err := z.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		if abandoned := rapid.Bool().Draw(t, "abandoned"); abandoned {
			p.Put(coding, z)
			return
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		p.Put(coding, z)
		r, err := Decompress(string(coding), &packed)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, bytes.Join(parts, nil)) {
			t.Fatalf("%s: %d bytes, %v", coding, len(got), err)
		}
	})
}

func TestTSV(t *testing.T) {
	texts := []string{"a", "", "tab\there", "line\nand\rreturn", `back\slash`, `\N`, "é"}
	r := result(func(i int, b array.Builder) {
		switch b := b.(type) {
		case *array.StringBuilder:
			b.AppendValues(texts, nil)
			b.AppendNull()
		case *array.Int64Builder:
			for i := range texts {
				b.Append(int64(i))
			}
			b.Append(-1)
		}
	}, types.Of(types.Varchar), types.Of(types.BigInt))
	want := "c0\tc1\na\t0\n\t1\ntab\\there\t2\nline\\nand\\rreturn\t3\nback\\\\slash\t4\n\\\\N\t5\né\t6\n\\N\t-1\n"
	if got := encoded(t, "tsv", r, Options{}); got != want {
		t.Errorf("got %q", got)
	}
}

func TestStatistics(t *testing.T) {
	r := result(func(_ int, b array.Builder) { b.(*array.Int64Builder).AppendValues([]int64{1, 2}, nil) }, types.Of(types.BigInt))
	got := encoded(t, "json", r, Options{})
	for _, part := range []string{`"rows":2,`, `"rows_before_limit_at_least":3,`, `"truncated":true,`, `"statistics":{"elapsed":`, `"rows_read":2,"bytes_read":`} {
		if !strings.Contains(got, part) {
			t.Errorf("%s is missing in %s", part, got)
		}
	}
}

func FuzzAccept(f *testing.F) {
	f.Add("text/csv;q=0.5, */*", "gzip;q=1, *;q=0")
	f.Fuzz(func(t *testing.T, accept, encoding string) {
		if format, err := Negotiate("", accept); err == nil && format.Name == "" {
			t.Errorf("%q: no format and no error", accept)
		}
		NegotiateCoding(encoding)
	})
}

func FuzzDecompress(f *testing.F) {
	f.Add("gzip", []byte{0x1f, 0x8b, 8})
	f.Add("zstd", []byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Add("br", []byte{0x0b})
	f.Fuzz(func(_ *testing.T, encoding string, b []byte) {
		if r, err := Decompress(encoding, bytes.NewReader(b)); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<20)) // it may fail, and must end
			r.Close()
		}
	})
}
