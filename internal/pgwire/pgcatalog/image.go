package pgcatalog

import (
	"maps"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/catalog"
	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

// OIDs that PostgreSQL gives to what it has by itself.
const (
	oidCatalogNamespace     = 11
	oidPublic               = 2200
	oidInformationNamespace = 13207
	// oidSystemNamespace is schema leat_system; its relations have the OIDs after.
	oidSystemNamespace = 16000
	maxSystemOID       = 16383
	oidOwner           = 10
	oidSessionRole     = 16384
	oidDatabase        = 16385
	oidPgType          = 1247
	oidPgClass         = 1259
	oidPgNamespace     = 2615
	oidPgDatabase      = 1262
	oidHeap            = 2
	oidBtree           = 403
	oidCollation       = 100
	oidTablespace      = 1663
	// ownerName owns everything.
	ownerName = "leat"
)

// Each object has slots OIDs from oidBase on, by its ID, which is never used again: so OIDs are stable and belong to one object. IDs beyond
// maxObjects would share OIDs.
const (
	oidBase    = 1 << 15
	maxObjects = 1<<26 - 1<<10
	slots      = 64

	slotRelation = 0
	slotRowType  = 1
	slotArray    = 2
	slotKey      = 3 // the index of the primary key
	slotKeyRule  = 4 // its constraint
	slotIndexes  = 5 // further indexes, up to the end
)

func oidOf(id types.ObjectID, slot int64) int64 {
	return oidBase + int64(id)%maxObjects*slots + slot
}

// relation is what a session sees of a stream, table or view.
type relation struct {
	oid, namespace int64
	// rowType and arrayType are its OIDs in pg_type, 0 for none.
	rowType, arrayType int64
	schema, name       string
	// kind is relkind.
	kind       string
	columns    []column
	key        []int // positions of the primary key's columns, from 0
	keyName    string
	keyIndex   int64
	keyRule    int64
	indexes    []index
	definition string
	comment    string
	writable   bool
}

// column is one column of a relation.
type column struct {
	name    string
	typ     uint32
	mod     int32
	notNull bool
}

// index is a secondary index: the positions of its columns, from 0.
type index struct {
	oid     int64
	name    string
	columns []int
	unique  bool
}

// image is what one principal sees of one version of the definitions. Its records are made when they are first read and shared.
type image struct {
	relations []*relation
	byOID     map[int64]*relation
	tables    map[string][]row

	mu      sync.Mutex
	records map[string]arrow.RecordBatch
}

func newImage(relations []*relation) *image {
	im := &image{relations: relations, byOID: map[int64]*relation{}, tables: map[string][]row{}, records: map[string]arrow.RecordBatch{}}
	for _, r := range relations {
		im.byOID[r.oid] = r
		im.addRelation(r)
	}
	for name, rows := range fixedTables() {
		im.tables[name] = append(rows, im.tables[name]...)
	}
	return im
}

// record is a table's rows as DuckDB reads them.
func (im *image) record(table string, columns []builtinColumn) arrow.RecordBatch {
	im.mu.Lock()
	defer im.mu.Unlock()
	rec := im.records[table]
	if rec == nil {
		rec = record(columns, im.tables[table])
		im.records[table] = rec
	}
	return rec
}

func (im *image) add(table string, r row) { im.tables[table] = append(im.tables[table], r) }

// addRelation adds the rows of a relation to every table that tells of it.
func (im *image) addRelation(r *relation) {
	im.add("pg_class", classRow(r.oid, r.namespace, r.rowType, r.name, r.kind, len(r.columns), len(r.key)+len(r.indexes) > 0))
	im.add("leat_relation", row{"oid": r.oid, "nspname": r.schema, "relname": r.name, "writable": r.writable,
		"deletable": r.writable && r.kind == "r" && len(r.key) > 0, "readable": true, "definition": orNothing(r.definition)})
	for i, c := range r.columns {
		im.add("pg_attribute", attributeRow(r.oid, i+1, c))
	}
	if r.rowType != 0 {
		im.add("pg_type", rowTypeRow(r))
		im.add("pg_type", rowArrayRow(r))
	}
	if r.comment != "" {
		im.add("pg_description", row{"objoid": r.oid, "classoid": oidPgClass, "objsubid": 0, "description": r.comment})
	}
	if len(r.key) > 0 && r.kind == "r" {
		im.addKey(r)
	} else if len(r.key) > 0 {
		im.addIndex(r, index{oid: r.keyIndex, name: r.keyName, columns: r.key, unique: true}, false)
	}
	for _, x := range r.indexes {
		im.addIndex(r, x, false)
	}
	if r.kind == "r" || r.kind == "m" {
		im.add("pg_stat_user_tables", row{"relid": r.oid, "schemaname": r.schema, "relname": r.name})
	}
	if r.kind == "v" || r.kind == "m" {
		im.add("pg_rewrite", row{"oid": r.oid, "rulename": "_RETURN", "ev_class": r.oid, "ev_type": "1", "ev_enabled": "O", "is_instead": true, "ev_action": r.definition})
	}
}

func (im *image) addKey(r *relation) {
	im.addIndex(r, index{oid: r.keyIndex, name: r.keyName, columns: r.key, unique: true}, true)
	def := "PRIMARY KEY (" + r.list(r.key) + ")"
	im.add("pg_constraint", row{"oid": r.keyRule, "conname": r.keyName, "connamespace": r.namespace, "contype": "p", "convalidated": true,
		"conrelid": r.oid, "conindid": r.keyIndex, "conkey": numbers(r.key), "conislocal": true, "connoinherit": true, "confupdtype": " ",
		"confdeltype": " ", "confmatchtype": " "})
	im.add("leat_constraint", row{"oid": r.keyRule, "definition": def})
}

func (im *image) addIndex(r *relation, x index, primary bool) {
	im.add("pg_class", indexClassRow(r, x))
	im.add("pg_index", row{"indexrelid": x.oid, "indrelid": r.oid, "indnatts": len(x.columns), "indnkeyatts": len(x.columns), "indisunique": x.unique,
		"indisprimary": primary, "indimmediate": true, "indisvalid": true, "indisready": true, "indislive": true, "indkey": numbers(x.columns),
		"indclass": r.operators(x.columns), "indcollation": r.collations(x.columns), "indoption": make([]int64, len(x.columns))})
	unique := ""
	if x.unique {
		unique = "UNIQUE "
	}
	def := "CREATE " + unique + "INDEX " + quoteIdent(x.name) + " ON " + quoteIdent(r.schema) + "." + quoteIdent(r.name) + " USING btree (" + r.list(x.columns) + ")"
	im.add("leat_index", row{"oid": x.oid, "part": 0, "definition": def})
	im.add("leat_relation", row{"oid": x.oid, "nspname": r.schema, "relname": x.name, "writable": false, "readable": false})
	for i, c := range x.columns {
		im.add("leat_index", row{"oid": x.oid, "part": i + 1, "definition": quoteIdent(r.columns[c].name)})
		im.add("pg_attribute", attributeRow(x.oid, i+1, column{r.columns[c].name, r.columns[c].typ, r.columns[c].mod, false}))
	}
}

// orNothing is NULL for an empty text.
func orNothing(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// list writes the names of some columns.
func (r *relation) list(columns []int) string {
	out := ""
	for i, c := range columns {
		if i > 0 {
			out += ", "
		}
		out += quoteIdent(r.columns[c].name)
	}
	return out
}

// operators are the default operator classes of btree for the columns' types.
func (r *relation) operators(columns []int) []int64 {
	out := make([]int64, len(columns))
	for i, c := range columns {
		out[i] = operatorClasses[r.columns[c].typ]
		if out[i] == 0 {
			out[i] = operatorClasses[pgtype.Text]
		}
	}
	return out
}

func (r *relation) collations(columns []int) []int64 {
	out := make([]int64, len(columns))
	for i, c := range columns {
		out[i] = collationOf(r.columns[c].typ)
	}
	return out
}

// numbers are the attribute numbers of positions.
func numbers(positions []int) []int64 {
	out := make([]int64, len(positions))
	for i, p := range positions {
		out[i] = int64(p) + 1
	}
	return out
}

// relationOf is what a principal that may read an object sees of it.
func relationOf(o *catalog.Object, columns []types.Column) *relation {
	r := &relation{oid: oidOf(o.ID, slotRelation), rowType: oidOf(o.ID, slotRowType), arrayType: oidOf(o.ID, slotArray), namespace: oidPublic,
		schema: publicSchema, name: o.Name, kind: "r", keyIndex: oidOf(o.ID, slotKey), keyRule: oidOf(o.ID, slotKeyRule), keyName: o.Name + "_pkey"}
	for _, c := range columns {
		r.columns = append(r.columns, columnFor(c))
	}
	switch {
	case o.Stream != nil:
		r.comment = o.Stream.Description
		for _, id := range o.Stream.PrimaryKey {
			r.key = append(r.key, o.Stream.Schema.IndexID(id))
		}
	case o.Continuous():
		r.kind, r.definition = "m", " "+o.View.Query+";"
		// The key of a view may hold NULLs: it is shown as a unique index, not as a primary key.
		r.key, r.keyName = slices.Clone(o.View.Materialized.Key), o.Name+"_key"
	case o.View != nil:
		r.kind, r.definition = "v", " "+o.View.Query+";"
	}
	for _, k := range r.key {
		if o.Stream != nil {
			r.columns[k].notNull = true
		}
	}
	return r
}

// indexesOf are an object's secondary indexes. Those beyond an object's OIDs are left out.
func indexesOf(o *catalog.Object, r *relation) []index {
	schema := o.Schema()
	var out []index
	for _, x := range o.Indexes {
		if slotIndexes+int64(x.ID)-1 >= slots {
			break
		}
		i := index{oid: oidOf(o.ID, slotIndexes+int64(x.ID)-1), name: x.Name}
		for _, id := range x.Columns {
			if at := schema.IndexID(id); at >= 0 && at < len(r.columns) {
				i.columns = append(i.columns, at)
			}
		}
		out = append(out, i)
	}
	return out
}

// merged is a copy of rows with more of them.
func merged(r row, more row) row {
	out := maps.Clone(r)
	maps.Copy(out, more)
	return out
}
