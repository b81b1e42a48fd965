package cli

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"

	"leat/internal/types"
)

// secure gives the client the files of TLS that the flags name, once.
func (c *client) secure() error {
	g := c.global
	if c.http.Transport != nil || g.caCert == "" && g.cert == "" && g.key == "" {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if g.caCert != "" {
		pem, err := os.ReadFile(g.caCert)
		if err != nil {
			return types.Errorf(types.InvalidArgument, "--cacert: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return types.Errorf(types.InvalidArgument, "--cacert: %s has no certificate", g.caCert)
		}
	}
	if g.cert != "" || g.key != "" {
		pair, err := tls.LoadX509KeyPair(g.cert, g.key)
		if err != nil {
			return types.Errorf(types.InvalidArgument, "--cert and --key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	c.http.Transport = transport
	return nil
}
