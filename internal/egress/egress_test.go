package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"leat/internal/types"
)

// names resolves names from a map; each look-up takes the next answer, the last one stays.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	list := n[host]
	if len(list) == 0 {
		return nil, errors.New("no such host")
	}
	if len(list) > 1 {
		n[host] = list[1:]
	}
	var out []netip.Addr
	for a := range strings.SplitSeq(list[0], " ") {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

// dialer is a Dialer that resolves by names and remembers where it would have connected.
func dialer(t *testing.T, n names, exceptions ...string) (*Dialer, *[]string) {
	t.Helper()
	d, err := New(exceptions)
	if err != nil {
		t.Fatal(err)
	}
	dialed := &[]string{}
	d.resolver = n
	d.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		*dialed = append(*dialed, address)
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		return a, nil
	}
	return d, dialed
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	for _, addr := range []string{
		"127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200",
		"192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1",
		"::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001::1", "2001:db8::1", "100::1", "2606:4700::1%x",
	} {
		d, dialed := dialer(t, names{"h.example": {addr}})
		for _, host := range []string{addr, "h.example"} {
			if _, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, "443")); !types.HasCode(err, types.NotAllowed) || len(*dialed) > 0 {
				t.Errorf("%s at %s: %v, dialed %v", host, addr, err, *dialed)
			}
		}
	}
	for _, addr := range []string{"1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "::ffff:1.1.1.1"} {
		d, dialed := dialer(t, names{"h.example": {addr}})
		if _, err := d.DialContext(t.Context(), "tcp", "h.example:443"); err != nil || len(*dialed) != 1 {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// What was checked is what is dialed: a name is resolved once a connection, and the address, not the name, is connected to.
func TestRebindingGainsNothing(t *testing.T) {
	d, dialed := dialer(t, names{"h.example": {"1.1.1.1", "127.0.0.1"}})
	if _, err := d.DialContext(t.Context(), "tcp", "h.example:443"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.DialContext(t.Context(), "tcp", "h.example:443"); !types.HasCode(err, types.NotAllowed) {
		t.Errorf("the second answer is private: %v", err)
	}
	if len(*dialed) != 1 || (*dialed)[0] != "1.1.1.1:443" {
		t.Errorf("dialed %v", *dialed)
	}
	// Of several addresses only public ones are tried.
	d, dialed = dialer(t, names{"h.example": {"10.0.0.1 1.1.1.1 127.0.0.1"}})
	if _, err := d.DialContext(t.Context(), "tcp", "h.example:443"); err != nil || len(*dialed) != 1 || (*dialed)[0] != "1.1.1.1:443" {
		t.Errorf("dialed %v, %v", *dialed, err)
	}
	for _, strange := range []string{"2130706433:443", "0x7f.1:443", "127.1:443", "localhost:443", "017700000001:443"} {
		if _, err := d.DialContext(t.Context(), "tcp", strange); err == nil || len(*dialed) != 1 {
			t.Errorf("%s: %v, dialed %v", strange, err, *dialed)
		}
	}
}

func TestExceptions(t *testing.T) {
	n := names{"id.internal": {"10.0.0.9"}, "other.internal": {"10.0.0.9"}}
	for _, c := range []struct {
		exception, target string
		ok                bool
	}{
		{"id.internal", "id.internal:443", true}, {"ID.Internal.", "id.internal:443", true}, {"id.internal", "other.internal:443", false}, {"id.internal", "10.0.0.9:443", false},
		{"id.internal:8443", "id.internal:443", false}, {"id.internal:8443", "id.internal:8443", true},
		{"10.0.0.9", "other.internal:443", true}, {"10.0.0.9:1", "10.0.0.9:443", false}, {"10.0.0.0/8", "10.0.0.9:443", true}, {"10.0.0.0/29", "10.0.0.9:443", false},
		{"::1", "[::1]:443", true}, {"[::1]:443", "[::1]:443", true}, {"127.0.0.1", "[::ffff:127.0.0.1]:443", true}, {"fc00::/7", "[fd00::1]:1", true},
	} {
		d, _ := dialer(t, n, c.exception)
		_, err := d.DialContext(t.Context(), "tcp", c.target)
		if (err == nil) != c.ok {
			t.Errorf("%s with exception %s: %v", c.target, c.exception, err)
		}
	}
	for _, bad := range []string{"", "*", "*.internal", "http://x", "a b", "10.0.0.0/99", "a:b:c"} {
		if _, err := New([]string{bad}); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("exception %q: %v", bad, err)
		}
	}
}

// site is a server on loopback.
func site(t *testing.T) (*http.ServeMux, string) {
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return mux, srv.URL
}

func TestFetch(t *testing.T) {
	mux, url := site(t)
	_, private := site(t) // at another port, which is no exception
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("Accept"), r.Header.Get("Authorization"))
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, MaxDocument+1)) })
	mux.HandleFunc("/full", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, MaxDocument)) })
	mux.HandleFunc("/none", http.NotFound)
	mux.Handle("/moved", http.RedirectHandler("/keys", http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.Handle("/private", http.RedirectHandler(private+"/keys", http.StatusFound))
	mux.Handle("/metadata", http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusFound))
	mux.Handle("/tls-metadata", http.RedirectHandler("https://169.254.169.254/latest/meta-data/", http.StatusFound))
	mux.Handle("/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	d, err := New([]string{strings.TrimPrefix(url, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/keys", "/moved"} {
		if b, err := d.Fetch(t.Context(), url+path); err != nil || string(b) != "application/json" {
			t.Errorf("%s: %s, %v", path, b, err)
		}
	}
	if b, err := d.Fetch(t.Context(), url+"/full"); err != nil || len(b) != MaxDocument {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	for path, code := range map[string]types.Code{"/large": types.Unavailable, "/none": types.Unavailable, "/loop": types.Unavailable, "/private": types.NotAllowed, "/metadata": types.NotAllowed, "/tls-metadata": types.NotAllowed} {
		if _, err := d.Fetch(t.Context(), url+path); !types.HasCode(err, code) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := d.Fetch(t.Context(), url+"/file"); err == nil {
		t.Error("a redirect to a file passes")
	}
	for _, target := range []string{private + "/keys", "http://example.com/keys", "ftp://example.com/", "file:///etc/passwd", "https://", "https://user@example.com/", "gopher://x", "://", "unix:///x"} {
		if _, err := d.Fetch(t.Context(), target); err == nil || types.AsError(err).Code == types.Internal {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// Without an exception even https reaches no loopback address; with one, the certificate must still fit.
func TestFetchWantsACertificate(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	d, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Fetch(t.Context(), srv.URL); !types.HasCode(err, types.NotAllowed) {
		t.Errorf("loopback: %v", err)
	}
	d, err = New([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Fetch(t.Context(), srv.URL)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("a certificate of nobody: %v", err)
	}
}

func FuzzException(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8", "[::1]:80", "id.internal:443", "::/0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := New([]string{text})
		if err != nil {
			return
		}
		a := d.allowed[0]
		if a.host == "" && !a.net.IsValid() {
			t.Fatalf("%q allows nothing", text)
		}
	})
}
