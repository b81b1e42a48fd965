package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"leat/test/harness"
)

// secured is a server with TLS and client certificates, used by curl, openssl and the command line as people would.
type secured struct {
	*testing.T
	dir, url, admin string
	stop            func()
}

// printed is what the server has printed since the first start.
func (s *secured) printed() string {
	s.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		s.Fatal(err)
	}
	return string(b)
}

// shell runs a command in the test's folder and returns what it prints.
func (s *secured) shell(command string) string {
	s.Helper()
	out, err := s.try(command)
	if err != nil {
		s.Fatalf("%s: %v\n%s", command, err, out)
	}
	return strings.TrimSpace(out)
}

func (s *secured) try(command string) (string, error) {
	cmd := exec.Command("sh", "-euc", command)
	cmd.Dir = s.dir
	bin, err := harness.Binary()
	if err != nil {
		s.Fatal(err)
	}
	cmd.Env = append(harness.CleanEnv(), "LEAT_SERVER="+s.url, "LEAT_TOKEN="+s.admin, "LEAT_CACERT=ca.pem", "LEAT_CERT=client.pem", "LEAT_KEY=client.key", "A="+s.url, "LEAT="+bin,
		"CURL=curl -sS --max-time 60 --cacert ca.pem --cert client.pem --key client.key")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// makeCertificates has openssl make an authority, and certificates of a server and a client.
const makeCertificates = `
make() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.csr -subj /CN=$2 -addext "subjectAltName=DNS:localhost,IP:127.0.0.1"
  openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $1.pem -days 2 -copy_extensions copy; }
{ openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=authority -days 2
  make server first; make second second; make client client; } 2>&1`

// start starts the server and waits until it answers.
func (s *secured) start(flags ...string) {
	s.Helper()
	bin, err := harness.Binary()
	if err != nil {
		s.Fatal(err)
	}
	addr := filepath.Join(s.dir, "addr")
	_ = os.Remove(addr) // of the start before
	args := append([]string{"start", "--data", filepath.Join(s.dir, "data"), "--listen", "127.0.0.1:0", "--addr-file", addr, "--log-level", "debug", "--pg-listen", "127.0.0.1:0", "--init-token"}, flags...)
	cmd := exec.Command(bin, args...)
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.Fatal(err)
	}
	defer log.Close()
	cmd.Dir, cmd.Env, cmd.Stderr = s.dir, harness.CleanEnv(), log
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	s.stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-done
	}
	s.Cleanup(s.stop)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(addr); err == nil && len(b) > 0 {
			s.url = "https://" + string(b)
			return
		}
		select {
		case <-done:
			s.Fatalf("the server ended\n%s", s.printed())
		default:
		}
		if time.Now().After(deadline) {
			s.Fatal("the server does not start")
		}
	}
}

func newSecured(t *testing.T, flags ...string) *secured {
	for _, tool := range []string{"curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	s := &secured{T: t, dir: t.TempDir()}
	s.shell(makeCertificates)
	s.start(append([]string{"--tls-cert", "server.pem", "--tls-key", "server.key", "--tls-client-ca", "ca.pem"}, flags...)...)
	return s
}

// readToken reads the admin token that the first start prints.
func (s *secured) readToken() {
	s.Helper()
	if s.admin = regexp.MustCompile(`leat_\w{52}`).FindString(s.printed()); s.admin == "" {
		s.Fatalf("no token is printed\n%s", s.printed())
	}
}

// signJWT makes a JWT as a shell script would: $1 is the header, $2 the payload, the rest the command that signs.
const signJWT = `
b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
signed=$(printf %s "$HEADER" | b64).$(printf %s "$PAYLOAD" | b64)
printf %s.%s "$signed" "$(printf %s "$signed" | openssl dgst -sha256 $SIGN -binary | b64)"`

func (s *secured) jwt(header, payload, sign string) string {
	s.Helper()
	return s.shell(fmt.Sprintf("HEADER='%s' PAYLOAD='%s' SIGN='%s'\n%s", header, payload, sign, signJWT))
}

func TestTLSAndJWTs(t *testing.T) {
	s := newSecured(t, "--egress-allow", "127.0.0.1")
	s.readToken()
	want := func(command, part string) {
		t.Helper()
		if got := s.shell(command); !strings.Contains(got, part) {
			t.Errorf("%s\n%s\nwant %s", command, got, part)
		}
	}
	// TLS: versions of HTTP, client certificates, no plain text.
	want(`$CURL --http1.1 -o /dev/null -w '%{http_version} %{http_code}' $A/healthz`, "1.1 200")
	want(`$CURL --http2 -o /dev/null -w '%{http_version} %{http_code}' $A/healthz`, "2 200")
	if out, err := s.try(`curl -sS --cacert ca.pem $A/healthz`); err == nil {
		t.Errorf("without a client certificate: %s", out)
	}
	if out, err := s.try(`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout x.key -out x.pem -subj /CN=stranger 2>/dev/null; curl -sS --cacert ca.pem --cert x.pem --key x.key $A/healthz`); err == nil {
		t.Errorf("with a certificate of nobody: %s", out)
	}
	want(`curl -sS -o /dev/null -w '%{http_code}' http://${A#https://}/healthz`, "400")
	if out, err := s.try(`openssl s_client -connect ${A#https://} -tls1_1 -cert client.pem -key client.key </dev/null 2>&1`); err == nil && !strings.Contains(out, "alert") {
		t.Errorf("TLS 1.1: %s", out)
	}
	// The certificate is replaced while the server runs.
	subject := `openssl s_client -connect ${A#https://} -cert client.pem -key client.key </dev/null 2>/dev/null | openssl x509 -noout -subject`
	want(subject, "first")
	s.shell(`cp second.key server.key; cp second.pem server.pem`)
	for deadline := time.Now().Add(time.Minute); !strings.Contains(s.shell(subject), "second"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not served")
		}
	}

	s.shell(`printf '{"id":1,"tenant_id":"a","amount":5}\n{"id":2,"tenant_id":"b","amount":7}\n' | $LEAT send orders`)
	s.shell(`$LEAT sql "CREATE ENDPOINT totals WITH (rate = 3, burst = 3) AS SELECT tenant_id, sum(amount)::INT AS n FROM orders GROUP BY ALL ORDER BY ALL"`)
	s.testPostgres(want)
	s.testHS256(want)
	s.testJWKS(want)

	// What admins did is kept, and only admins read it.
	want(`$LEAT sql "SELECT principal, action, object, outcome FROM leat_system.audit"`, `"action":"create issuer","object":"app","outcome":"ok"`)
	want(`$LEAT sql "SELECT action, detail FROM leat_system.audit"`, "failed authentication")
	reader := s.shell(`$LEAT token create --scope 'read:*' 2>/dev/null`)
	if out, err := s.try(`LEAT_TOKEN=` + reader + ` $LEAT sql "FROM leat_system.audit"`); err == nil || !strings.Contains(out, "may not read") {
		t.Errorf("read:* reads the audit log: %s", out)
	}
	s.stop()
	audit, err := os.ReadFile(filepath.Join(s.dir, "data", "audit", "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(s.shell("cat secret.txt"))
	shown := map[string]int{"the admin token": 1} // by --init-token
	for what, text := range map[string]string{"a secret": secret, "a secret in base64": base64.StdEncoding.EncodeToString([]byte(secret))[:40], "the admin token": s.admin, "a token": reader} {
		if strings.Count(s.printed(), text) > shown[what] || bytes.Contains(audit, []byte(text)) {
			t.Errorf("%s is in a log", what)
		}
	}
}

// testPostgres has psql connect: with a client certificate, and not around it.
func (s *secured) testPostgres(want func(command, part string)) {
	s.Helper()
	if _, err := exec.LookPath("psql"); err != nil {
		s.Log("psql is not installed")
		return
	}
	at := regexp.MustCompile(`@(127\.0\.0\.1:\d+)/leat`).FindStringSubmatch(s.printed())
	if at == nil {
		s.Fatalf("no address of PostgreSQL\n%s", s.printed())
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(s.admin, "leat_"), "_")
	psql := func(options string) string {
		return fmt.Sprintf(`chmod 600 client.key; PGPASSWORD=%s psql -At "postgresql://%s@%s/leat?%s" -c "SELECT count(*) + 40 FROM orders" 2>&1`, s.admin, id, at[1], options)
	}
	want(psql("sslmode=verify-full&sslrootcert=ca.pem&sslcert=client.pem&sslkey=client.key"), "42")
	for options, why := range map[string]string{"sslmode=disable": "TLS only", "sslmode=require&sslcert=none&sslkey=none": "certificate required"} {
		if out, err := s.try(psql(options)); err == nil || !strings.Contains(out, why) {
			s.Errorf("psql with %s: %s", options, out)
		}
	}
}

func (s *secured) testHS256(want func(command, part string)) {
	s.Helper()
	s.shell(`openssl rand -base64 48 > secret.txt
		$LEAT issuer create app --issuer https://app.example --secret-file secret.txt --scope read:totals --filter '*.tenant_id=tenant' --rate 50`)
	sign := "-mac HMAC -macopt hexkey:" + s.shell(`tr -d '\n' < secret.txt | od -An -tx1 | tr -d ' \n'`)
	const header = `{"alg":"HS256","typ":"JWT"}`
	claims := func(more string, exp time.Duration) string {
		return fmt.Sprintf(`{"iss":"https://app.example","aud":"leat","sub":"ada","exp":%d%s}`, time.Now().Add(exp).Unix(), more)
	}
	call := func(jwt string) string {
		return `$CURL -w ' %{http_code} %header{x-ratelimit-remaining} %header{retry-after}' -H 'Authorization: Bearer ` + jwt + `' "$A/v1/endpoints/totals?format=ndjson"`
	}
	good := s.jwt(header, claims(`,"tenant":"a"`, time.Hour), sign)
	want(call(s.jwt(header, claims(`,"tenant":"a"`, -time.Hour), sign)), `ended`)
	want(call(s.jwt(header, claims(``, time.Hour), sign)), `claim \"tenant\" is missing`)
	want(call(s.jwt(`{"alg":"none"}`, claims(`,"tenant":"a"`, time.Hour), sign)), `another algorithm`)
	want(call(good[:len(good)-4]+"AAAA"), `signature`)
	want(call(good), `{"tenant_id":"a","n":5}`)
	want(call(s.jwt(header, claims(`,"tenant":"b"`, time.Hour), sign)), `{"tenant_id":"b","n":7}`)
	want(call(good), "200 0")
	want(call(good), "ALTER ENDPOINT totals SET (rate")
	want(`$CURL -H 'Authorization: Bearer `+good+`' "$A/v1/sql?q=SELECT+1"`, "permission_denied")
	want(`$CURL "$A/v1/sql?q=`+good+`"`, "URLs end in logs")
}

// testJWKS has keys published by a server on loopback, which the setting egress-allow opens.
func (s *secured) testJWKS(want func(command, part string)) {
	s.Helper()
	s.shell(`openssl genrsa -out rsa.key 2048 2>/dev/null`)
	modulus := strings.TrimPrefix(s.shell(`openssl rsa -in rsa.key -noout -modulus`), "Modulus=")
	n := make([]byte, len(modulus)/2)
	if _, err := fmt.Sscanf(modulus, "%X", &n); err != nil {
		s.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"RSA","kid":"k1","use":"sig","alg":"RS256","n":"%s","e":"AQAB"}]}`, base64.RawURLEncoding.EncodeToString(n))
	})
	mux.Handle("/elsewhere", http.RedirectHandler("https://169.254.169.254/latest/meta-data/", http.StatusFound))
	srv := httptest.NewServer(mux)
	s.Cleanup(srv.Close)
	create := `$LEAT issuer create sso --algorithm RS256 --issuer https://id.example/ --scope 'read:*' --jwks-url `
	for _, target := range []string{srv.URL + "/elsewhere", "https://10.0.0.1/keys", "http://example.com/keys", "file:///etc/passwd"} {
		if out, err := s.try(create + target); err == nil {
			s.Errorf("keys of %s are fetched: %s", target, out)
		}
	}
	want(create+srv.URL+"/keys", "created sso")
	payload := fmt.Sprintf(`{"iss":"https://id.example/","aud":["leat","other"],"exp":%d}`, time.Now().Add(time.Hour).Unix())
	call := func(kid string) string {
		jwt := s.jwt(`{"alg":"RS256","kid":"`+kid+`"}`, payload, "-sign rsa.key")
		return `$CURL -H 'Authorization: Bearer ` + jwt + `' "$A/v1/sql?q=SELECT+count(*)+AS+n+FROM+orders&format=ndjson"`
	}
	want(call("k1"), `{"n":2}`)
	want(call("k2"), "kid")
	want(`$LEAT issuer delete sso`, "deleted sso")
	want(call("k1"), "iss")
}

// Without TLS a server that others can reach says so, and serves HTTP/2 to those who know of it.
func TestPlainTextIsWarnedOf(t *testing.T) {
	s := harness.Start(t, "")
	if out, err := exec.Command("curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", s.URL+"/healthz").CombinedOutput(); err != nil || string(out) != "2 200" {
		t.Errorf("%s, %v", out, err)
	}
	if strings.Contains(s.Log(), "in the clear") {
		t.Errorf("on loopback there is nothing to warn of\n%s", s.Log())
	}
	open := harness.Start(t, "", "--listen", "0.0.0.0:0", "--init-token")
	if !strings.Contains(open.Log(), "in the clear") {
		t.Errorf("no warning\n%s", open.Log())
	}
}
