package pg

import (
	"path/filepath"
	"testing"

	"leat/test/harness"
	"leat/test/services"
)

func TestSQLAlchemy(t *testing.T) {
	s := startShop(t)
	python := services.Python(t, "sqlalchemy==2.0.49", "psycopg2-binary==2.9.13", "psycopg[binary]==3.2.13", "asyncpg==0.31.0", "pg8000==1.31.5", "greenlet")
	program := filepath.Join(harness.Root(), "test", "pg", "testdata", "with_sqlalchemy.py")
	for _, driver := range []string{"psycopg2", "psycopg", "pg8000", "asyncpg"} {
		if out, err := client(t, s, nil, python, program, driver); err != nil {
			t.Errorf("%s: %v\n%s\n%s", driver, err, out, s.Log())
		}
	}
}

func TestAsyncpg(t *testing.T) {
	script(t, startShop(t), services.Python(t, "asyncpg==0.31.0"), "with_asyncpg.py")
}

func TestJDBCMetadata(t *testing.T) {
	jars := services.Maven(t, "org.postgresql:postgresql:42.7.8")
	java := services.Command(t, "java", "openjdk-17-jdk-headless")
	s := startShop(t)
	program := filepath.Join(harness.Root(), "test", "pg", "testdata", "Metadata.java")
	out, err := client(t, s, nil, java, "-cp", jars, program, "jdbc:postgresql://"+s.PG+"/leat")
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, s.Log())
	}
}

func TestNode(t *testing.T) {
	dir := services.NPM(t, "pg@8.23.1", "postgres@3.4.9", "knex@3.3.0")
	node := services.Command(t, "node", "nodejs")
	s := startShop(t)
	program := filepath.Join(harness.Root(), "test", "pg", "testdata", "with_node.mjs")
	if out, err := client(t, s, []string{"PGSSLMODE=disable"}, node, program, dir); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, s.Log())
	}
}
