package pg

import (
	"testing"

	"leat/test/services"
)

func TestPsycopg3(t *testing.T) {
	script(t, start(t), services.Python(t, "psycopg[binary]==3.2.13"), "with_psycopg3.py")
}

func TestPsycopg2(t *testing.T) {
	script(t, start(t), services.Python(t, "psycopg2-binary==2.9.13"), "with_psycopg2.py")
}
