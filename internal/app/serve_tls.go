package app

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"sync"
	"time"

	"leat/internal/types"
)

// reloadEvery is how often handshakes look whether the files of TLS have changed.
const reloadEvery = time.Second

// certificates are the files of TLS. They are read again when they change; files that can't be used leave what was read before. It may be used
// from any goroutine.
type certificates struct {
	cert, key, clientCA string
	log                 *slog.Logger
	now                 func() time.Time

	mu      sync.Mutex
	looked  time.Time   // when the files were last looked at; guarded by mu
	stamps  [3]stamp    // of the files that were last tried; guarded by mu
	current *tls.Config // guarded by mu
}

// stamp tells whether a file has changed.
type stamp struct {
	at   time.Time
	size int64
}

// newCertificates reads the files that the configuration names; nil where it names none.
func newCertificates(c Config, log *slog.Logger) (*certificates, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	t := &certificates{cert: c.TLSCert, key: c.TLSKey, clientCA: c.TLSClientCA, log: log, now: time.Now}
	t.stamps = t.look()
	var err error
	if t.current, err = t.read(); err != nil {
		return nil, types.Errorf(types.InvalidArgument, "TLS: %w", err).WithHint("the files of tls-cert, tls-key and tls-client-ca are PEM")
	}
	t.looked = t.now()
	return t, nil
}

// config is what a listener takes that speaks one of the protocols (ALPN) in TLS. It follows the files.
func (t *certificates) config(protocols ...string) *tls.Config {
	first := t.latest().Clone()
	first.NextProtos = protocols
	first.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := t.latest().Clone()
		c.NextProtos = protocols
		return c, nil
	}
	return first
}

// latest is what the files say, as of a second ago at most.
func (t *certificates) latest() *tls.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if now.Sub(t.looked) < reloadEvery {
		return t.current
	}
	t.looked = now
	stamps := t.look()
	if stamps == t.stamps {
		return t.current
	}
	t.stamps = stamps
	next, err := t.read()
	if err != nil {
		t.log.Error("the files of TLS have changed and can't be used; what they were goes on", "error", err)
		return t.current
	}
	t.log.Info("the files of TLS were read again")
	t.current = next
	return next
}

// look stamps the files; one that is not there has the zero stamp.
func (t *certificates) look() (out [3]stamp) {
	for i, name := range []string{t.cert, t.key, t.clientCA} {
		if info, err := os.Stat(name); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

func (t *certificates) read() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(t.cert, t.key)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if t.clientCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.clientCA)
	if err != nil {
		return nil, err
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, types.Errorf(types.InvalidArgument, "%s has no certificate", t.clientCA)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	return c, nil
}
