import java.sql.*;
import java.util.*;

/** What pgjdbc's DatabaseMetaData tells of the server, as tools ask for it. */
public class Metadata {
  interface Call { ResultSet get() throws SQLException; }

  /** Some columns of all rows, joined with |, sorted. */
  static List<String> rows(Call call, String... columns) throws SQLException {
    List<String> out = new ArrayList<>();
    try (ResultSet r = call.get()) {
      while (r.next()) {
        StringBuilder b = new StringBuilder();
        for (String c : columns) b.append(b.length() == 0 ? "" : "|").append(r.getString(c));
        out.add(b.toString());
      }
    }
    Collections.sort(out);
    return out;
  }

  static void want(String what, List<String> got, String... want) {
    if (!got.equals(Arrays.asList(want))) throw new AssertionError(what + ": " + got);
  }

  static void some(String what, List<String> got, String one) {
    if (!got.contains(one)) throw new AssertionError(what + ": " + got);
  }

  public static void main(String[] args) throws Exception {
    try (Connection c = DriverManager.getConnection(args[0])) {
      DatabaseMetaData d = c.getMetaData();
      if (!d.getDatabaseProductName().equals("PostgreSQL") || !c.getCatalog().equals("leat") || !c.getSchema().equals("public") || !c.isValid(5))
        throw new AssertionError("the connection");
      String[] types = {"TABLE", "PARTITIONED TABLE", "VIEW", "FOREIGN TABLE", "MATERIALIZED VIEW"};
      want("tables", rows(() -> d.getTables(null, "public", "%", types), "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE"),
          "public|events|TABLE", "public|plain|VIEW", "public|totals|MATERIALIZED VIEW", "public|users|TABLE");
      want("tables by name", rows(() -> d.getTables("leat", "pub%", "e%", new String[] {"TABLE"}), "TABLE_NAME"), "events");
      some("all tables", rows(() -> d.getTables(null, null, "%", null), "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE"), "pg_catalog|pg_class|SYSTEM TABLE");
      want("columns", rows(() -> d.getColumns(null, "public", "events", null), "ORDINAL_POSITION", "COLUMN_NAME", "TYPE_NAME", "DATA_TYPE", "COLUMN_SIZE", "DECIMAL_DIGITS", "IS_NULLABLE"),
          "1|id|int8|-5|19|0|NO", "2|user_name|text|12|2147483647|0|YES", "3|ts|timestamptz|93|35|6|YES", "4|amount|numeric|2|10|2|YES", "5|tags|_text|2003|2147483647|0|YES");
      want("primary key", rows(() -> d.getPrimaryKeys(null, "public", "users"), "COLUMN_NAME", "KEY_SEQ", "PK_NAME"), "id|1|users_pkey");
      want("index", rows(() -> d.getIndexInfo(null, "public", "users", false, false), "INDEX_NAME", "COLUMN_NAME", "NON_UNIQUE"), "users_pkey|id|f");
      want("indexes", rows(() -> d.getIndexInfo(null, "public", "totals", false, true), "INDEX_NAME", "COLUMN_NAME", "NON_UNIQUE"), "totals_ix|total|t", "totals_key|user_name|f");
      want("imported keys", rows(() -> d.getImportedKeys(null, "public", "users"), "FK_NAME"));
      want("exported keys", rows(() -> d.getExportedKeys(null, "public", "users"), "FK_NAME"));
      want("cross reference", rows(() -> d.getCrossReference(null, "public", "users", null, "public", "events"), "FK_NAME"));
      want("schemas", rows(() -> d.getSchemas(), "TABLE_SCHEM"), "information_schema", "leat_system", "pg_catalog", "public");
      want("catalogs", rows(() -> d.getCatalogs(), "TABLE_CAT"), "leat");
      some("types", rows(() -> d.getTypeInfo(), "TYPE_NAME", "DATA_TYPE"), "int8|-5");
      some("types", rows(() -> d.getTypeInfo(), "TYPE_NAME", "DATA_TYPE"), "_text|2003");
      want("best row", rows(() -> d.getBestRowIdentifier(null, "public", "users", DatabaseMetaData.bestRowSession, true), "COLUMN_NAME"), "id");
      want("functions", rows(() -> d.getFunctions(null, "public", "%"), "FUNCTION_NAME"));
      want("procedures", rows(() -> d.getProcedures(null, "public", "%"), "PROCEDURE_NAME"));
      want("user types", rows(() -> d.getUDTs(null, "public", "ev%", null), "TYPE_NAME"), "events");
      rows(() -> d.getTablePrivileges(null, "public", "%"), "TABLE_NAME");
      rows(() -> d.getColumnPrivileges(null, "public", "events", "%"), "COLUMN_NAME");
      rows(() -> d.getFunctionColumns(null, "public", "%", "%"), "COLUMN_NAME");
      rows(() -> d.getProcedureColumns(null, "public", "%", "%"), "COLUMN_NAME");
      rows(() -> d.getVersionColumns(null, "public", "users"), "COLUMN_NAME");
      d.getSQLKeywords();
      if (d.getMaxColumnNameLength() != 63) throw new AssertionError("length of names");
      try (PreparedStatement p = c.prepareStatement("SELECT id, user_name, ts, amount, tags FROM public.events WHERE user_name = ?")) {
        ResultSetMetaData m = p.getMetaData();
        StringBuilder b = new StringBuilder();
        for (int i = 1; i <= m.getColumnCount(); i++) b.append(m.getColumnName(i)).append(' ').append(m.getColumnTypeName(i)).append(' ').append(m.getPrecision(i)).append(';');
        if (!b.toString().equals("id int8 19;user_name text 2147483647;ts timestamptz 35;amount numeric 10;tags _text 2147483647;")) throw new AssertionError(b);
      }
      try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT tags, 'pg_class'::regclass FROM (SELECT ARRAY['a','b'] AS tags) x")) {
        r.next();
        if (!r.getString(2).equals("pg_class") || !Arrays.equals((String[]) r.getArray(1).getArray(), new String[] {"a", "b"})) throw new AssertionError("an array");
      }
      c.createArrayOf("text", new String[] {"a"});
      c.setSchema("leat_system");
      if (!c.getSchema().equals("leat_system")) throw new AssertionError("schema after SET: " + c.getSchema());
    }
  }
}
