package app

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"leat/internal/egress"
	"leat/internal/push"
	"leat/internal/types"
)

// Config is all that a server can be told. The order of precedence is: flag, environment (LEAT_ and the key in upper case
// with _ for dots and dashes), file, default. Each field's tags are its key in the file and its description.
type Config struct {
	Data   string `toml:"data" help:"folder of all data; made with mode 0700"`
	Listen string `toml:"listen" help:"address of the HTTP API; other than loopback only once a token exists"`
	// PGListen is the address of PostgreSQL's protocol; "" or off is none.
	PGListen string `toml:"pg-listen" help:"address of the PostgreSQL protocol, or off; other than loopback only once a token exists"`
	// Hosts are further names by which clients may reach a server without tokens.
	Hosts []string `toml:"hosts" help:"further host names that a server without tokens answers to"`
	// CORSOrigins are origins whose pages may use the server from browsers.
	CORSOrigins []string `toml:"cors-origins" help:"origins (scheme://host[:port]) whose pages may use the server from a browser, or * for pages that send a token"`
	AddrFile    string   `toml:"addr-file" help:"file to write the address to that the server listens on"`
	InitToken   bool     `toml:"init-token" help:"make an admin token at the first start and print it once"`
	Durability  string   `toml:"durability" help:"fsync: acknowledge after the fsync; fast: before it"`
	Pprof       bool     `toml:"pprof" help:"serve /debug/pprof/ (admin scope)"`
	LogLevel    string   `toml:"log-level" help:"debug, info, warn or error"`

	TLSCert     string   `toml:"tls-cert" help:"PEM file of the certificate, its chain after it; read again when it changes"`
	TLSKey      string   `toml:"tls-key" help:"PEM file of the certificate's key"`
	TLSClientCA string   `toml:"tls-client-ca" help:"PEM file of authorities: every client then needs a certificate of one of them"`
	EgressAllow []string `toml:"egress-allow" help:"private hosts, addresses or networks that may be connected to, also by http"`

	MaxBody        Bytes         `toml:"max-body" help:"largest request body, also after decompression"`
	MaxInFlight    Bytes         `toml:"max-in-flight" help:"bodies being read and decoded at once, over all requests"`
	MaxBacklog     int           `toml:"max-backlog" help:"rows not yet loaded into the store at which events are answered 429"`
	MinFree        Bytes         `toml:"min-free" help:"free disk space below which events are answered 507"`
	LogKeep        Bytes         `toml:"log-keep" help:"log kept per partition after the store has it"`
	Tail           Bytes         `toml:"tail" help:"memory for decoded recent events"`
	Memory         Bytes         `toml:"memory" help:"memory for queries, 0 for half of the machine's"`
	ViewMemory     Bytes         `toml:"view-memory" help:"memory for the state of one materialized view and those built on it; more of it is on disk"`
	Spill          Bytes         `toml:"spill" help:"disk for queries that outgrow memory"`
	Queries        int           `toml:"queries" help:"queries at once, 0 for twice the cores"`
	ResultCache    Bytes         `toml:"result-cache" help:"memory for answers of endpoints, given again while nothing that they read has changed; 0 keeps none"`
	MaxSubscribers int           `toml:"max-subscribers" help:"subscribers to changes at once; one principal may have half of them"`
	Timeout        time.Duration `toml:"query-timeout" help:"deadline of a query that names none"`
	StopWithin     time.Duration `toml:"stop-within" help:"how long a stop waits for requests under way"`
}

// DefaultConfig is what a newcomer gets who sets nothing.
func DefaultConfig() Config {
	return Config{
		Data: "leat-data", Listen: "127.0.0.1:4280", PGListen: "127.0.0.1:4281", Durability: "fsync", LogLevel: "info",
		MaxBody: 64 << 20, MaxInFlight: 256 << 20, MaxBacklog: 10_000_000, MinFree: 512 << 20, LogKeep: 4 << 30, Tail: 32 << 20,
		ViewMemory: 256 << 20, Spill: 10 << 30, ResultCache: 64 << 20, MaxSubscribers: push.DefaultMaxSubscribers, Timeout: 30 * time.Second, StopWithin: 15 * time.Second,
	}
}

// Bytes is a size that text may give with a unit: 64MiB, 2GB, 512k.
type Bytes int64

var units = []struct {
	name string
	size float64
}{{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"b", 1}, {"", 1}}

// Set reads a size; with String and Type it makes Bytes a flag.
func (b *Bytes) Set(text string) error {
	s := strings.ToLower(strings.TrimSpace(text))
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || v < 0 || v*u.size > 1<<62 {
			break
		}
		*b = Bytes(v * u.size)
		return nil
	}
	return fmt.Errorf("%q is not a size such as 64MiB", text)
}

// UnmarshalText reads a size in the file.
func (b *Bytes) UnmarshalText(text []byte) error { return b.Set(string(text)) }

// String prints the size with the largest unit that divides it.
func (b Bytes) String() string {
	for _, u := range []struct {
		name string
		size Bytes
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b >= u.size && b%u.size == 0 {
			return fmt.Sprintf("%d%s", b/u.size, u.name)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Type names the flag's value in --help.
func (Bytes) Type() string { return "size" }

// fields lists the settings as pointers into c, with their keys and descriptions.
func (c *Config) fields() []field {
	v := reflect.ValueOf(c).Elem()
	out := make([]field, v.NumField())
	for i := range out {
		f := v.Type().Field(i)
		out[i] = field{key: f.Tag.Get("toml"), help: f.Tag.Get("help"), ptr: v.Field(i).Addr().Interface()}
	}
	return out
}

type field struct {
	key, help string
	ptr       any
}

func (f field) env() string {
	return "LEAT_" + strings.ToUpper(strings.ReplaceAll(f.key, "-", "_"))
}

// set parses text into the field.
func (f field) set(text string) (err error) {
	switch p := f.ptr.(type) {
	case *string:
		*p = text
	case *[]string:
		*p = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	case *bool:
		*p, err = strconv.ParseBool(text)
	case *int:
		*p, err = strconv.Atoi(text)
	case *time.Duration:
		*p, err = time.ParseDuration(text)
	case *Bytes:
		err = p.Set(text)
	default:
		panic(fmt.Sprintf("BUG: setting %s has type %T", f.key, f.ptr))
	}
	return err
}

// text prints the field's value.
func (f field) text() string { return fmt.Sprint(reflect.ValueOf(f.ptr).Elem().Interface()) }

// load reads the file, then the environment, into c. Without a name ./leat.toml is read if it is there.
func (c *Config) load(file string, getenv func(string) string) error {
	if err := c.loadFile(file); err != nil {
		return err
	}
	for _, f := range c.fields() {
		if text := getenv(f.env()); text != "" {
			if err := f.set(text); err != nil {
				return types.Errorf(types.InvalidArgument, "%s=%q: %w", f.env(), text, err)
			}
		}
	}
	return nil
}

func (c *Config) loadFile(file string) error {
	name := file
	if name == "" {
		name = "leat.toml"
	}
	meta, err := toml.DecodeFile(name, c)
	if errors.Is(err, fs.ErrNotExist) && file == "" {
		return nil
	}
	if err != nil {
		e := types.Errorf(types.InvalidArgument, "configuration %s: %w", name, err)
		if p, ok := errors.AsType[toml.ParseError](err); ok {
			e.Message = fmt.Sprintf("configuration %s, line %d: %s", name, p.Position.Line, p.Message)
		}
		return e
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return types.Errorf(types.InvalidArgument, "configuration %s: unknown setting %q", name, unknown[0].String()).
			WithHint("`leat start --help` lists the settings")
	}
	return nil
}

// Validate reports all faults at once.
func (c *Config) Validate() error {
	e := &types.Error{Code: types.InvalidArgument, Message: "the configuration can't be used"}
	fault := func(bad bool, key, format string, args ...any) {
		if bad {
			e.Errors = append(e.Errors, &types.Error{Code: types.InvalidArgument, Path: key, Message: fmt.Sprintf(format, args...)})
		}
	}
	_, _, err := net.SplitHostPort(c.Listen)
	fault(err != nil, "listen", "%q is not HOST:PORT", c.Listen)
	if c.speaksPG() {
		_, _, err = net.SplitHostPort(c.PGListen)
		fault(err != nil, "pg-listen", "%q is neither HOST:PORT nor off", c.PGListen)
	}
	fault(c.Data == "", "data", "a folder is needed")
	fault((c.TLSCert == "") != (c.TLSKey == ""), "tls-cert", "tls-cert and tls-key go together")
	fault(c.TLSClientCA != "" && c.TLSCert == "", "tls-client-ca", "needs tls-cert and tls-key")
	if _, err := egress.New(c.EgressAllow); err != nil {
		fault(true, "egress-allow", "%s", err)
	}
	fault(c.Durability != "fsync" && c.Durability != "fast", "durability", "%q is neither fsync nor fast", c.Durability)
	fault(!strings.Contains(" debug info warn error ", " "+c.LogLevel+" "), "log-level", "%q is none of debug, info, warn, error", c.LogLevel)
	fault(c.MaxBody < 1<<10, "max-body", "must be at least 1KiB")
	fault(c.MaxInFlight < 2*c.MaxBody, "max-in-flight", "must be at least twice max-body (%s)", c.MaxBody)
	fault(c.MaxBacklog < 1000, "max-backlog", "must be at least 1000")
	fault(c.Queries < 0, "queries", "must not be negative")
	fault(c.Timeout <= 0, "query-timeout", "must be more than 0")
	fault(c.StopWithin <= 0, "stop-within", "must be more than 0")
	if len(e.Errors) == 0 {
		return nil
	}
	return e
}

// loopback reports whether only this machine can reach the address.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// machineMemory is the memory of the machine or of its control group, in bytes; 4 GiB where neither can be read.
func machineMemory() int64 {
	limit := int64(4 << 30)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int64
		if _, err := fmt.Sscanf(string(b), "MemTotal: %d kB", &kib); err == nil {
			limit = kib << 10
		}
	}
	if b, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n < limit {
			limit = n
		}
	}
	return limit
}
