package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"leat/internal/types"
)

// pair is a certificate that signs itself, for 127.0.0.1.
type pair struct {
	cert, key []byte // PEM
	tls       tls.Certificate
}

func newPair(t *testing.T, name string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := pair{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})}
	if p.tls, err = tls.X509KeyPair(p.cert, p.key); err != nil {
		t.Fatal(err)
	}
	return p
}

// tlsFiles is a folder with the files of a configuration.
type tlsFiles struct {
	*testing.T
	Config
}

func newTLSFiles(t *testing.T) tlsFiles {
	dir := t.TempDir()
	return tlsFiles{t, Config{TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem")}}
}

func (f tlsFiles) write(p pair) {
	f.put(f.TLSCert, p.cert)
	f.put(f.TLSKey, p.key)
}

func (f tlsFiles) put(name string, data []byte) {
	f.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		f.Fatal(err)
	}
}

// talk makes a TLS connection to a listener with the certificates and returns whom the client saw.
func talk(t *testing.T, c *certificates, client *tls.Config) (name, protocol string, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		server := tls.Server(conn, c.config("h2", "http/1.1"))
		if server.Handshake() == nil {
			_, _ = server.Write([]byte("hello"))
			_ = server.CloseWrite()
		}
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		return "", "", err
	}
	defer conn.Close()
	if _, err := io.ReadAll(conn); err != nil { // in TLS 1.3 the server refuses a client after the client's handshake
		return "", "", err
	}
	state := conn.ConnectionState()
	return state.PeerCertificates[0].Subject.CommonName, state.NegotiatedProtocol, nil
}

func TestCertificatesAreReloaded(t *testing.T) {
	files := newTLSFiles(t)
	first, second := newPair(t, "first"), newPair(t, "second")
	files.write(first)
	c, err := newCertificates(files.Config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c.now = func() time.Time { now = now.Add(reloadEvery); return now }
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(first.cert)
	pool.AppendCertsFromPEM(second.cert)
	client := &tls.Config{RootCAs: pool, NextProtos: []string{"h2"}}
	want := func(name string) {
		t.Helper()
		if got, protocol, err := talk(t, c, client); err != nil || got != name || protocol != "h2" {
			t.Errorf("want %s, got %s in %s, %v", name, got, protocol, err)
		}
	}
	want("first")
	files.put(files.TLSKey, second.key) // half of a change
	want("first")
	files.put(files.TLSCert, []byte("junk"))
	want("first")
	files.write(second)
	want("second")
	if err := os.Remove(files.TLSKey); err != nil {
		t.Fatal(err)
	}
	want("second")
	if _, _, err := talk(t, c, &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

func TestClientsNeedCertificates(t *testing.T) {
	files := newTLSFiles(t)
	server, friend, stranger := newPair(t, "server"), newPair(t, "friend"), newPair(t, "stranger")
	files.write(server)
	files.TLSClientCA = filepath.Join(t.TempDir(), "ca.pem")
	files.put(files.TLSClientCA, friend.cert)
	c, err := newCertificates(files.Config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(server.cert)
	for name, certificates := range map[string][]tls.Certificate{"nobody": nil, "stranger": {stranger.tls}} {
		_, _, err := talk(t, c, &tls.Config{RootCAs: pool, Certificates: certificates})
		if err == nil {
			t.Errorf("%s is let in", name)
		}
	}
	if _, _, err := talk(t, c, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{friend.tls}}); err != nil {
		t.Errorf("a friend is refused: %v", err)
	}
	// The authority is changed without a restart.
	now := time.Now()
	c.now = func() time.Time { now = now.Add(reloadEvery); return now }
	files.put(files.TLSClientCA, append(stranger.cert, '\n'))
	if _, _, err := talk(t, c, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{friend.tls}}); err == nil {
		t.Error("the old friend is let in")
	}
}

func TestBadFilesOfTLS(t *testing.T) {
	files := newTLSFiles(t)
	p := newPair(t, "a")
	log := slog.New(slog.DiscardHandler)
	if _, err := newCertificates(files.Config, log); !types.HasCode(err, types.InvalidArgument) {
		t.Errorf("no files: %v", err)
	}
	files.write(p)
	files.put(files.TLSKey, newPair(t, "b").key)
	if _, err := newCertificates(files.Config, log); !types.HasCode(err, types.InvalidArgument) {
		t.Errorf("another's key: %v", err)
	}
	files.write(p)
	files.TLSClientCA = files.TLSKey
	if _, err := newCertificates(files.Config, log); !types.HasCode(err, types.InvalidArgument) {
		t.Errorf("a key as authority: %v", err)
	}
	for _, change := range []func(*Config){
		func(c *Config) { c.TLSCert = "x" }, func(c *Config) { c.TLSKey = "x" }, func(c *Config) { c.TLSClientCA = "x" }, func(c *Config) { c.EgressAllow = []string{"*"} },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}
