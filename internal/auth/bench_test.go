package auth

import (
	"testing"
	"time"

	"leat/internal/auth/authtest"
	"leat/internal/catalog"
)

// BenchmarkAuthenticateInCatalog is what each request of a server pays.
func BenchmarkAuthenticateInCatalog(b *testing.B) {
	c, err := catalog.Open(b.TempDir(), catalog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	s := NewService(InCatalog(c), true)
	s.now = func() time.Time { return start }
	token, _, err := s.Create(b.Context(), "", []string{"admin"})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.CreateIssuer(b.Context(), IssuerSpec{
		Name: "app", Algorithm: hs256, Issuer: iss, Audience: aud, Keys: []KeySpec{{Secret: authtest.Secret}}, Scopes: []string{"read:*"},
		Filters: map[string]map[string]string{"*": {"tenant": "sub"}},
	}); err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{"token": token.Reveal(), "JWT": authtest.Sign(b, hs256, []byte(authtest.Secret), nil, good(nil))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Authenticate(text); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
