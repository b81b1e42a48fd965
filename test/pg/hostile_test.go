package pg

import (
	"context"
	"testing"
	"time"
)

// The number of a parameter is not how many are made room for.
func TestNumbersOfParametersAreBounded(t *testing.T) {
	c := connect(t, start(t), "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, n := range []string{"65536", "99999999999", "99999999999999999999"} {
		for _, sql := range []string{
			"SELECT $::int", "SELECT oid FROM pg_class WHERE oid = $", "SELECT k FROM s WHERE k = $", "INSERT INTO s VALUES ($)", "DELETE FROM kv WHERE id = $", "CALL one($)",
		} {
			text := ""
			for _, r := range sql {
				if text += string(r); r == '$' {
					text += n
				}
			}
			if _, err := c.PgConn().Prepare(ctx, "", text, nil); state(err) == "" {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	if _, err := c.Exec(ctx, "SELECT 1"); err != nil {
		t.Error(err)
	}
}
