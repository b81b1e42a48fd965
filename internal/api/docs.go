package api

import (
	"crypto/sha256"
	_ "embed" // docs.html
	"encoding/base64"
	"net/http"
	"strings"
)

// docsPage is the page at /docs, built from web/docs by `npm run build` in web.
//
//go:embed docs.html
var docsPage string

// docs answers with a page that shows /openapi.json. It holds nothing of its own, so it needs no token; the document does.
func (s *server) docs(c *call) error {
	h := c.w.Header()
	set(h, "Content-Type", "text/html; charset=utf-8")
	set(h, "Content-Security-Policy", s.docsPolicy)
	set(h, "Cache-Control", "no-cache")
	if c.r.Method == http.MethodHead {
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	_, err := c.w.Write([]byte(docsPage))
	return err
}

// pagePolicy is a Content-Security-Policy that lets a page run the one script and use the one style that it holds, and ask this server alone.
func pagePolicy(page string) string {
	return "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src " +
		inlineHash(page, "<script>", "</script>") + "; style-src " + inlineHash(page, "<style>", "</style>")
}

func inlineHash(page, from, to string) string {
	_, rest, ok := strings.Cut(page, from)
	text, _, closed := strings.Cut(rest, to)
	if !ok || !closed {
		panic("BUG: the page has no " + from)
	}
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
