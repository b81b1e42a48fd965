package pg

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leat/test/harness"
)

// launchTLS starts a server whose HTTP API the harness can't reach: it is ready once the protocol answers.
func launchTLS(t *testing.T, data, cert, key string) *harness.Server {
	t.Helper()
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	addr := filepath.Join(t.TempDir(), "addr")
	cmd := exec.Command(bin, "start", "--data", data, "--listen", "127.0.0.1:0", "--pg-listen", "127.0.0.1:0", "--addr-file", addr, "--tls-cert", cert, "--tls-key", key)
	cmd.Env = harness.CleanEnv()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if b, err := os.ReadFile(addr + ".pg"); err == nil {
			if c, err := net.Dial("tcp", string(b)); err == nil {
				c.Close()
				return &harness.Server{PG: string(b)}
			}
		}
	}
	text, _ := os.ReadFile(log.Name())
	t.Fatalf("the server doesn't answer: %s", text)
	return nil
}

// certificate makes a key and a certificate for localhost.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return cert, key, pool
}

func TestTLS(t *testing.T) {
	cert, key, pool := certificate(t)
	data := filepath.Join(t.TempDir(), "data")
	plain := harness.Start(t, data)
	id, token := tokenOf(t, plain, "")
	plain.Stop()
	s := launchTLS(t, data, cert, key)
	env := []string{"PGUSER=" + id, "PGPASSWORD=" + token, "PGSSLROOTCERT=" + cert, "PGSSLMODE=verify-full"}
	// psql binds its proof to the certificate where it is told to.
	for _, binding := range []string{"prefer", "require"} {
		if out, err := psql(t, s, append(env, "PGCHANNELBINDING="+binding), "SELECT 'encrypted'"); err != nil {
			t.Errorf("channel binding %s: %v %s", binding, err, out)
		}
	}
	if out, err := psql(t, s, append(env, "PGPASSWORD=wrong"), "SELECT 1"); err == nil {
		t.Errorf("a wrong password: %s", out)
	}
	if out, err := psql(t, s, append(env, "PGSSLMODE=disable"), "SELECT 1"); err == nil || !strings.Contains(out, "TLS") {
		t.Errorf("without TLS: %v %s", err, out)
	}
	// A client that doesn't ask first.
	c, err := tls.Dial("tcp", s.PG, &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: []string{"postgresql"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if p := c.ConnectionState().NegotiatedProtocol; p != "postgresql" {
		t.Errorf("ALPN %q", p)
	}
}
