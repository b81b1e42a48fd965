package pgwire

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/xdg-go/scram"

	"leat/internal/types"
)

// Codes in place of a protocol version (protocol.h).
const (
	codeCancel  = 80877102
	codeSSL     = 80877103
	codeGSS     = 80877104
	majorOf3    = 3
	newestMinor = 2
)

// maxStartup is the largest message before authentication, PostgreSQL's limit too.
const maxStartup = 10_000

// maxParams bounds the settings of a start-up message.
const maxParams = 100

// errDone ends a connection that has got all that it asked for.
var errDone = errors.New("done")

// packet reads a message of the start-up, which has no kind.
func (w *wire) packet() ([]byte, error) {
	if err := w.fill(4); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(w.in[w.from:]))
	if n < 8 || n > maxStartup {
		return nil, failure("08P01", "invalid length of startup packet")
	}
	if err := w.fill(n); err != nil {
		return nil, err
	}
	body := w.in[w.from+4 : w.from+n]
	w.from += n
	return body, nil
}

// hello reads up to the start-up message, encrypting the connection if the client asks. It returns the parameters in the message.
func (s *session) hello() (map[string]string, error) {
	if err := s.fill(1); err != nil {
		return nil, err
	}
	if s.in[s.from] == 0x16 { // a TLS handshake without asking: sslnegotiation=direct
		if err := s.encrypt(true); err != nil {
			return nil, err
		}
	}
	for range 4 { // each request once, then the message
		body, err := s.packet()
		if err != nil {
			return nil, err
		}
		f := fields{b: body}
		switch code := uint32(f.int32()); {
		case code == codeCancel:
			pid := f.int32()
			s.server.cancel(pid, f.b)
			return nil, errDone
		case code == codeSSL:
			if err := s.askedSSL(); err != nil {
				return nil, err
			}
		case code == codeGSS:
			s.out = append(s.out, 'N')
			if err := s.flush(); err != nil {
				return nil, err
			}
		case code>>16 == majorOf3:
			if s.server.TLSOnly && !s.secure {
				return nil, failure("28000", "this server speaks TLS only: connect with sslmode=require or verify-full")
			}
			s.minor = int(code & 0xffff)
			return s.parameters(&f)
		default:
			return nil, failure("0A000", "unsupported frontend protocol %d.%d: server supports 3.0 to 3.%d", code>>16, code&0xffff, newestMinor)
		}
	}
	return nil, failure("08P01", "expected a startup message")
}

func (s *session) askedSSL() error {
	if s.server.TLS == nil || s.secure {
		s.out = append(s.out, 'N')
		return s.flush()
	}
	s.out = append(s.out, 'S')
	if err := s.flush(); err != nil {
		return err
	}
	if s.from != s.to {
		// Bytes sent before the handshake would be taken for encrypted ones (CVE-2021-23214).
		return failure("08P01", "received unencrypted data after SSL request")
	}
	return s.encrypt(false)
}

// encrypt does the TLS handshake. What was read ahead belongs to it where the client began at once.
func (s *session) encrypt(direct bool) error {
	if s.server.TLS == nil {
		return failure("08P01", "this server has no TLS")
	}
	under := s.raw
	cfg := s.noting(s.server.TLS)
	if direct {
		under = &ahead{Conn: s.raw, first: append([]byte(nil), s.in[s.from:s.to]...)}
	}
	c := tls.Server(under, cfg)
	if err := c.Handshake(); err != nil {
		return err
	}
	s.conn, s.tls, s.secure = c, c, true
	s.from, s.to = 0, 0
	return nil
}

// ahead is a connection of which some bytes were read already.
type ahead struct {
	net.Conn
	first []byte
}

func (a *ahead) Read(b []byte) (int, error) {
	if len(a.first) > 0 {
		n := copy(b, a.first)
		a.first = a.first[n:]
		return n, nil
	}
	return a.Conn.Read(b)
}

// parameters reads the settings of the start-up message, and answers a version or options that are not known.
func (s *session) parameters(f *fields) (map[string]string, error) {
	out := map[string]string{}
	var unknown []string
	for {
		name := string(f.cstring())
		if name == "" {
			break
		}
		value := string(f.cstring())
		if strings.HasPrefix(name, "_pq_.") {
			unknown = append(unknown, name)
			continue
		}
		if out[name] = value; len(out) > maxParams {
			return nil, failure("08P01", "too many startup parameters")
		}
	}
	if f.bad || len(f.b) > 0 {
		return nil, failure("08P01", "invalid startup packet layout: expected terminator as last byte")
	}
	if s.minor > newestMinor || len(unknown) > 0 {
		at := s.begin('v')
		s.out = binary.BigEndian.AppendUint32(s.out, uint32(majorOf3<<16|min(s.minor, newestMinor)))
		s.out = binary.BigEndian.AppendUint32(s.out, uint32(len(unknown)))
		for _, name := range unknown {
			s.out = append(append(s.out, name...), 0)
		}
		s.finish(at)
		s.minor = min(s.minor, newestMinor)
	}
	return out, nil
}

// start does all that comes before the first statement.
func (s *session) start() error {
	if err := s.raw.SetDeadline(time.Now().Add(s.server.AuthTimeout)); err != nil {
		return err
	}
	params, err := s.hello()
	if err != nil {
		return err
	}
	if s.user = params["user"]; s.user == "" {
		return failure("28000", "no PostgreSQL user name specified in startup packet")
	}
	if s.database = params["database"]; s.database == "" {
		s.database = s.user
	}
	if v := params["replication"]; v != "" {
		if on, ok := parseBool([]byte(v)); !ok || on {
			return withState(types.Errorf(types.Unsupported, "replication connections are not supported"), "0A000")
		}
	}
	if err := s.authenticate(); err != nil {
		s.server.meters.failed.Add(1)
		if s.server.Failed != nil && !quiet(err) {
			s.server.Failed(s.user, s.addr.String(), err)
		}
		return err
	}
	if err := s.initial(params); err != nil {
		return err
	}
	if err := s.server.proven(s); err != nil {
		return err
	}
	s.server.meters.taken.Add(1)
	s.max, s.grow = s.server.MaxMessage, s.account
	s.message('R', 0, 0, 0, 0)
	for _, name := range s.vars.names() {
		if st := s.server.known[name]; st.report {
			s.parameterStatus(name)
		}
	}
	if s.secret, err = newSecret(s.minor); err != nil {
		return err
	}
	at := s.begin('K')
	s.out = binary.BigEndian.AppendUint32(s.out, uint32(s.pid))
	s.out = append(s.out, s.secret...)
	s.finish(at)
	s.ready()
	s.renewed = time.Now()
	if err := s.raw.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if err := s.raw.SetWriteDeadline(s.renewed.Add(writeWithin)); err != nil {
		return err
	}
	return s.flush()
}

// initial sets what the start-up message asked for.
func (s *session) initial(params map[string]string) error {
	for name, value := range options(params["options"]) {
		params[name] = value
	}
	for name, value := range params {
		switch name {
		case "user", "database", "replication", "options":
			continue
		}
		if strings.EqualFold(name, "TimeZone") {
			continue // many clients send their own; the status that they get says UTC
		}
		key, kept, err := s.vars.check(name, value)
		if err != nil {
			return err
		}
		s.vars.start[key] = kept
	}
	s.vars.start["session_authorization"] = s.user
	if s.admin() {
		s.vars.start["is_superuser"] = "on"
	}
	return nil
}

// options reads -c name=value and --name=value, where a backslash keeps the next blank.
func options(text string) map[string]string {
	var words []string
	var word strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			word.WriteByte(text[i])
		case c == ' ' || c == '\t' || c == '\n':
			if word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
		default:
			word.WriteByte(c)
		}
	}
	words = append(words, word.String())
	out := map[string]string{}
	for i := 0; i < len(words) && len(out) < maxParams; i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		default:
			continue
		}
		if name, value, ok := strings.Cut(w, "="); ok {
			out[strings.ReplaceAll(name, "-", "_")] = value
		}
	}
	return out
}

// quiet reports whether an error of the start-up is nothing to tell a client or a log.
func quiet(err error) bool {
	var network net.Error
	return errors.Is(err, errDone) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &network)
}

// noting returns a copy of cfg that notes which certificate is sent: clients bind their proof to it.
func (s *session) noting(cfg *tls.Config) *tls.Config {
	out := cfg.Clone()
	out.Certificates = nil // else they are taken without asking where the client names no server
	if choose := cfg.GetConfigForClient; choose != nil {
		out.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if err != nil || chosen == nil {
				return nil, err
			}
			chosen = chosen.Clone()
			chosen.GetConfigForClient = nil
			return s.noting(chosen), nil
		}
	}
	if len(out.NextProtos) == 0 {
		out.NextProtos = []string{"postgresql"}
	}
	out.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := certificateFor(cfg, hello)
		s.sent = c
		return c, err
	}
	return out
}

// certificateFor chooses as package tls does.
func certificateFor(cfg *tls.Config, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cfg.GetCertificate != nil {
		if c, err := cfg.GetCertificate(hello); c != nil || err != nil {
			return c, err
		}
	}
	for i := range cfg.Certificates {
		if hello.SupportsCertificate(&cfg.Certificates[i]) == nil {
			return &cfg.Certificates[i], nil
		}
	}
	if len(cfg.Certificates) > 0 {
		return &cfg.Certificates[0], nil
	}
	return nil, errors.New("tls: no certificates configured")
}

// binding is the channel binding of the certificate that was sent (RFC 5929, tls-server-end-point).
func (s *session) binding() (b scram.ChannelBinding, ok bool) {
	if s.tls == nil || s.sent == nil || len(s.sent.Certificate) == 0 {
		return b, false
	}
	leaf, err := x509.ParseCertificate(s.sent.Certificate[0])
	if err != nil {
		return b, false
	}
	b, err = scram.NewTLSServerEndpointBinding(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
	return b, err == nil
}
