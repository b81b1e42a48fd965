// What applications with JDBC do; any surprise ends the program.
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class Check {
  static void same(Object got, Object want) {
    if (!Objects.equals(got, want)) throw new AssertionError("got " + got + ", want " + want);
  }

  static void fails(String state, Statement st, String sql) throws SQLException {
    try {
      st.execute(sql);
    } catch (SQLException e) {
      same(e.getSQLState(), state);
      return;
    }
    throw new AssertionError("no error: " + sql);
  }

  static final String TYPES = "select true b, 2::smallint i2, 3::integer i4, 4::bigint i8, 5::hugeint h, 1.5::float f, 2.25::double d,"
      + " 123.4500::decimal(10,4) n, 'x€' v, '\\x00\\xFF'::blob bl, date '2024-02-29' da, time '12:34:56' t,"
      + " timestamp '2024-01-02 03:04:05.678901' ts, timestamptz '2024-01-02 03:04:05+00' tz, uuid '12345678-1234-5678-1234-567812345678' u,"
      + " [1,2] l, NULL::integer nn";

  static void types(Connection c) throws SQLException {
    // After five executions the driver asks for binary values.
    try (PreparedStatement p = c.prepareStatement(TYPES)) {
      for (int i = 0; i < 8; i++) {
        ResultSet r = p.executeQuery();
        if (!r.next()) throw new AssertionError("no row");
        same(r.getBoolean("b"), true);
        same(r.getShort("i2"), (short) 2);
        same(r.getInt("i4"), 3);
        same(r.getLong("i8"), 4L);
        same(r.getBigDecimal("h"), new BigDecimal("5"));
        same(r.getFloat("f"), 1.5f);
        same(r.getDouble("d"), 2.25);
        same(r.getBigDecimal("n"), new BigDecimal("123.4500"));
        same(r.getString("v"), "x€");
        same(Arrays.toString(r.getBytes("bl")), "[0, -1]");
        same(r.getObject("da", LocalDate.class), LocalDate.of(2024, 2, 29));
        same(r.getObject("t", LocalTime.class), LocalTime.of(12, 34, 56));
        same(r.getObject("ts", LocalDateTime.class), LocalDateTime.of(2024, 1, 2, 3, 4, 5, 678901000));
        same(r.getObject("tz", OffsetDateTime.class).toInstant(), Instant.parse("2024-01-02T03:04:05Z"));
        same(r.getObject("u"), UUID.fromString("12345678-1234-5678-1234-567812345678"));
        same(Arrays.toString((Object[]) r.getArray("l").getArray()), "[1, 2]");
        same(r.getObject("nn"), null);
        r.close();
      }
    }
  }

  static void parameters(Connection c) throws SQLException {
    try (PreparedStatement p = c.prepareStatement("select k, n from by_k where k = ?")) {
      for (int i = 0; i < 20; i++) {
        p.setInt(1, 1 + i % 2);
        ResultSet r = p.executeQuery();
        if (!r.next()) throw new AssertionError("no row");
        same(r.getInt(1), 1 + i % 2);
        same(r.getLong(2), 1L);
      }
    }
    try (PreparedStatement p = c.prepareStatement("insert into s (k, v, t, ts) values (?, ?, ?, ?)")) {
      for (int i = 0; i < 100; i++) {
        p.setInt(1, 500 + i);
        p.setDouble(2, i / 4.0);
        p.setString(3, "jdbc " + i);
        p.setTimestamp(4, Timestamp.valueOf("2024-01-01 00:00:00"));
        p.addBatch();
      }
      for (int n : p.executeBatch()) same(n, 1);
    }
    try (PreparedStatement p = c.prepareStatement("select count(*), max(ts) from s where t like ? and ts >= ?")) {
      p.setString(1, "jdbc %");
      p.setObject(2, LocalDateTime.of(2024, 1, 1, 0, 0));
      ResultSet r = p.executeQuery();
      r.next();
      same(r.getInt(1), 100);
    }
    try (PreparedStatement p = c.prepareStatement("select n from by_k where k = ?")) {
      p.setBigDecimal(1, new BigDecimal("1.5"));
      same(p.executeQuery().next(), false);
    }
    try (CallableStatement p = c.prepareCall("{call one(?)}")) {
      p.setInt(1, 2);
      if (!p.execute()) throw new AssertionError("the call has no rows");
      ResultSet r = p.getResultSet();
      r.next();
      same(r.getInt(1), 2);
    }
  }

  static void cursors(Connection c) throws SQLException {
    c.setAutoCommit(false);
    try (Statement st = c.createStatement()) {
      st.setFetchSize(37);
      ResultSet r = st.executeQuery("select range::integer from range(5000)");
      for (int i = 0; i < 5000; i++) {
        if (!r.next()) throw new AssertionError("row " + i + " is missing");
        same(r.getInt(1), i);
      }
      same(r.next(), false);
    }
    c.commit();
    try (Statement st = c.createStatement()) {
      st.executeUpdate("insert into s (k) values (900)");
      c.rollback();
      ResultSet r = st.executeQuery("select count(*) from s where k = 900");
      r.next();
      same(r.getInt(1), 0);
      fails("42703", st, "select nope from s");
      fails("25P02", st, "select 1");
      c.rollback();
      Savepoint mark = c.setSavepoint("a");
      fails("42P01", st, "select * from nosuch");
      c.rollback(mark);
      st.executeQuery("select 1");
      c.commit();
    }
    c.setAutoCommit(true);
    try (Statement st = c.createStatement()) {
      st.setMaxRows(10);
      ResultSet r = st.executeQuery("select range from range(100)");
      int n = 0;
      while (r.next()) n++;
      same(n, 10);
      st.setQueryTimeout(1);
      fails("57014", st, "select count(*) from range(1000000) a, range(1000000) b where a.range + b.range = 7");
    }
  }

  static void copies(Connection c) throws Exception {
    CopyManager copies = c.unwrap(PGConnection.class).getCopyAPI();
    same(copies.copyIn("copy s (k, t) from stdin with (format csv)", new StringReader("800,\"a,b\"\n801,\n")), 2L);
    StringWriter out = new StringWriter();
    copies.copyOut("copy (select k, t from s where k in (800, 801) order by k) to stdout with (format csv)", out);
    same(out.toString(), "800,\"a,b\"\n801,\n");
  }

  static void metadata(Connection c) throws SQLException {
    DatabaseMetaData m = c.getMetaData();
    List<String> columns = new ArrayList<>();
    try (ResultSet r = m.getColumns(null, "public", "by_k", "%")) {
      while (r.next()) columns.add(r.getString("COLUMN_NAME") + " " + r.getInt("DATA_TYPE"));
    }
    same(columns.toString(), "[k 4, n -5, total 8]");
    Set<String> tables = new TreeSet<>();
    try (ResultSet r = m.getTables(null, "public", "%", null)) {
      while (r.next()) tables.add(r.getString("TABLE_NAME"));
    }
    if (!tables.containsAll(List.of("s", "kv", "by_k"))) throw new AssertionError("tables " + tables);
  }

  public static void main(String[] args) throws Exception {
    Properties p = new Properties();
    p.setProperty("user", "leat");
    for (String mode : new String[] {"extended", "simple", "extendedForPrepared"}) {
      p.setProperty("preferQueryMode", mode);
      try (Connection c = DriverManager.getConnection(args[0], p)) {
        same(c.isValid(5), true);
        types(c);
        if (!mode.equals("extended")) continue;
        parameters(c);
        cursors(c);
        copies(c);
        metadata(c);
      }
    }
    System.out.println("ok");
  }
}
