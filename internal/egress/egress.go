// Package egress is the only way out: it connects to servers that somebody named in a setting or a definition, and refuses what only this
// machine and its network should reach, unless the operator allowed it.
package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"leat/internal/types"
)

// Bounds of what is fetched.
const (
	// MaxDocument is the largest document in bytes; a longer one is an error.
	MaxDocument = 1 << 20
	// fetchTimeout bounds a fetch as a whole, connectTimeout one connection.
	fetchTimeout   = 10 * time.Second
	connectTimeout = 3 * time.Second
	maxRedirects   = 3
	maxHeader      = 64 << 10
	// maxAddresses is how many addresses of a name are tried.
	maxAddresses = 4
)

// Dialer makes connections to other servers. It may be used from any goroutine.
type Dialer struct {
	allowed  []allowed
	resolver Resolver
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// Resolver finds the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// allowed is one exception: a host name, or addresses; port is "" for all.
type allowed struct {
	host string
	net  netip.Prefix
	port string
}

// New makes a Dialer. Each exception is a host name, an address or a network (CIDR), with :port or without; such destinations may be private, and
// may be reached by http without TLS.
func New(exceptions []string) (*Dialer, error) {
	d := &Dialer{resolver: net.DefaultResolver, dial: (&net.Dialer{Timeout: connectTimeout}).DialContext}
	for _, text := range exceptions {
		a, err := parseAllowed(text)
		if err != nil {
			return nil, err
		}
		d.allowed = append(d.allowed, a)
	}
	return d, nil
}

func parseAllowed(text string) (allowed, error) {
	host, port := text, ""
	if h, p, err := net.SplitHostPort(text); err == nil {
		host, port = h, p
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	fault := types.Errorf(types.InvalidArgument, "egress-allow: %.200q is not a host, an address or a network, with or without :port", text)
	if _, err := strconv.ParseUint(port, 10, 16); port != "" && err != nil {
		return allowed{}, fault
	}
	if prefix, err := netip.ParsePrefix(host); err == nil {
		return allowed{net: prefix.Masked(), port: port}, nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap().WithZone("")
		return allowed{net: netip.PrefixFrom(addr, addr.BitLen()), port: port}, nil
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || strings.ContainsAny(host, "/*: ") {
		return allowed{}, fault
	}
	return allowed{host: host, port: port}, nil
}

// nameAllowed reports whether a host is an exception by its name.
func (d *Dialer) nameAllowed(host, port string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(d.allowed, func(a allowed) bool { return a.host != "" && a.host == host && (a.port == "" || a.port == port) })
}

// addressAllowed reports whether an address may be connected to: a public one, or an exception.
func (d *Dialer) addressAllowed(addr netip.Addr, port string) bool {
	return public(addr) || d.addressExcepted(addr, port)
}

func (d *Dialer) addressExcepted(addr netip.Addr, port string) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(d.allowed, func(a allowed) bool { return a.host == "" && a.net.Contains(addr) && (a.port == "" || a.port == port) })
}

// special are networks of the IANA registries of special-purpose addresses that netip's own tests don't name. Those that embed an IPv4 address
// are here as a whole: what they lead to can't be told from the address alone.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("fec0::/10"),
}

// public reports whether an address is one of the open internet. Those of cloud metadata services (169.254.169.254, fd00:ec2::254) are
// link-local or private, so they are not.
func public(addr netip.Addr) bool {
	if addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// DialContext connects to host:port. It resolves the name itself and connects to an address that it has checked, so a name that changes its
// mind between check and connection (DNS rebinding) gains nothing. A destination that is not allowed is types.NotAllowed.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, types.Errorf(types.InvalidArgument, "%.200q is not HOST:PORT", address)
	}
	addrs, err := d.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	named := d.nameAllowed(host, port)
	var errs []error
	for _, addr := range addrs {
		if !named && !d.addressAllowed(addr, port) {
			errs = append(errs, refused(host, addr))
			continue
		}
		conn, err := d.dial(ctx, network, net.JoinHostPort(addr.String(), port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, types.Errorf(types.Unavailable, "connecting to %s: %w", host, err))
	}
	return nil, errors.Join(errs...)
}

func refused(host string, addr netip.Addr) error {
	return types.Errorf(types.NotAllowed, "%.200s is at %s, which is no public address", host, addr).
		WithHint("the operator allows it with the setting egress-allow")
}

func (d *Dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	addrs, err := d.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return nil, types.Errorf(types.Unavailable, "the host %.200q has no address: %w", host, err)
	}
	return addrs[:min(len(addrs), maxAddresses)], nil
}

// Fetch gets a document of at most MaxDocument bytes, by https, or by http from an exception. Redirects are checked like the first address. An
// answer other than 200 is types.Unavailable.
func (d *Dialer) Fetch(ctx context.Context, target string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, types.Errorf(types.InvalidArgument, "%.200q is not a URL", target)
	}
	if err := d.checkURL(req.URL); err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "leat")
	transport := d.transport()
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return types.Errorf(types.Unavailable, "more than %d redirects", maxRedirects)
		}
		r.Header.Del("Referer")
		return d.checkURL(r.URL)
	}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fetchError(req.URL.Host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, types.Errorf(types.Unavailable, "%s answered %d", req.URL.Host, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxDocument+1))
	if err != nil {
		return nil, fetchError(req.URL.Host, err)
	}
	if len(body) > MaxDocument {
		return nil, types.Errorf(types.Unavailable, "the document of %s has more than %d bytes", req.URL.Host, MaxDocument)
	}
	return body, nil
}

// transport is one of its own for each fetch: fetches are rare, and no connection outlives the check of its address. There is no proxy, which
// would resolve names itself, and no compression, which would hide a document's size.
func (d *Dialer) transport() *http.Transport {
	return &http.Transport{
		DialContext: d.DialContext, TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: fetchTimeout, MaxResponseHeaderBytes: maxHeader,
		DisableCompression: true, ForceAttemptHTTP2: true, MaxConnsPerHost: 1,
	}
}

// checkURL wants https, or a destination that the operator allowed by name or address.
func (d *Dialer) checkURL(u *url.URL) error {
	if u.Host == "" || u.User != nil {
		return types.Errorf(types.InvalidArgument, "the URL needs a host, and can't hold a user")
	}
	if u.Scheme == "https" {
		return nil
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && (d.nameAllowed(u.Hostname(), port) || err == nil && d.addressExcepted(addr, port)) {
		return nil
	}
	return types.Errorf(types.NotAllowed, "%.20s to %.200s is refused: only https is safe on the way", u.Scheme, u.Host).
		WithHint("use https; the operator allows http to a host with the setting egress-allow")
}

// fetchError keeps the code of an error that the dialer made.
func fetchError(host string, err error) error {
	if e, ok := errors.AsType[*types.Error](err); ok {
		return e
	}
	return types.Errorf(types.Unavailable, "fetching from %s: %w", host, err)
}
