package pg

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Who sees some rows only calls endpoints, and is told neither of the texts of definitions nor how many rows others have.
func TestTenants(t *testing.T) {
	s := start(t)
	s.SQL(`CREATE VIEW seen AS SELECT * FROM s WHERE t <> 'another tenant';
		CREATE ENDPOINT of_k (least DOUBLE DEFAULT 0) AS SELECT k, v FROM s WHERE t <> 'another tenant' AND v >= $least ORDER BY k`)
	s.SQL("INSERT INTO s VALUES (2, 7.5, 'b', NULL)")
	_, admin := tokenOf(t, s, "")
	status, body := request(t, s, http.MethodPost, "/v1/tokens", admin, `{"name":"tenant","scopes":["read:*","append:*","raw"],"filters":{"*":{"k":2}}}`)
	var made struct{ ID, Token string }
	if err := json.Unmarshal(body, &made); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	c := connect(t, s, "user="+made.ID+" password="+made.Token)
	for sql, want := range map[string]string{
		"CALL of_k(1.0)": "2", "SELECT * FROM of_k(1.0)": "2", "SELECT * FROM of_k(8.0)": "", "SELECT 1": "1",
		"SELECT definition FROM pg_views WHERE viewname = 'seen' AND definition IS NOT NULL": "",
	} {
		rows, err := c.Query(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		got := ""
		for rows.Next() {
			got += string(rows.RawValues()[0])
		}
		if rows.Err() != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", sql, got, rows.Err(), want)
		}
	}
	for _, sql := range []string{
		"SHOW TABLES", "SHOW ALL TABLES", "SHOW ENDPOINTS", "SHOW CREATE ENDPOINT of_k", "SHOW CREATE VIEW seen", "EXPLAIN ENDPOINT of_k", "EXPLAIN SELECT * FROM s",
		"DESCRIBE s", "SELECT * FROM s", "TABLE s", "SELECT * FROM seen", "INSERT INTO s VALUES (1, 1, 'x', NULL)", "SELECT * FROM leat_system.streams",
	} {
		if _, err := c.Exec(t.Context(), sql); state(err) != "42501" {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
