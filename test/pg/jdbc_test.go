package pg

import (
	"path/filepath"
	"testing"

	"leat/test/harness"
	"leat/test/services"
)

func TestJDBC(t *testing.T) {
	jars := services.Maven(t, "org.postgresql:postgresql:42.7.8")
	program := filepath.Join(harness.Root(), "test", "pg", "testdata", "Check.java")
	java := services.Command(t, "java", "openjdk-17-jdk-headless")
	// Of a machine elsewhere the driver tells its own time zone.
	for _, zone := range []string{"UTC", "America/Bogota"} {
		s := start(t)
		out, err := client(t, s, nil, java, "-Duser.timezone="+zone, "-cp", jars, program, "jdbc:postgresql://"+s.PG+"/leat")
		if err != nil {
			t.Fatalf("%s: %v\n%s\n%s", zone, err, out, s.Log())
		}
	}
}
