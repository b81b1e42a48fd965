package pebblelog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/types"
)

// A schema is stored once per stream under its fingerprint; entries name the fingerprint.

const schemaVersion = 1

type wireSchema struct {
	Version int          `json:"version"`
	NextID  int32        `json:"next_id"`
	Columns []wireColumn `json:"columns"`
}

type wireColumn struct {
	ID      int32      `json:"id"`
	Name    string     `json:"name"`
	Type    types.Type `json:"type"`
	Path    []string   `json:"path,omitempty"`
	NotNull bool       `json:"not_null,omitempty"`
	Wide    bool       `json:"wide,omitempty"`
}

// schemaInfo is a schema as the log uses it; immutable and shared.
type schemaInfo struct {
	schema      *types.Schema
	fingerprint uint64
	// wire is the stored form: a version byte and JSON.
	wire []byte
	// arrow are the columns' types.
	arrow []arrow.DataType
}

func newSchemaInfo(s *types.Schema) (*schemaInfo, error) {
	w := wireSchema{Version: s.Version, NextID: s.NextID, Columns: make([]wireColumn, len(s.Columns))}
	for i, c := range s.Columns {
		w.Columns[i] = wireColumn(c)
	}
	var buf bytes.Buffer
	buf.WriteByte(schemaVersion)
	if err := json.NewEncoder(&buf).Encode(w); err != nil {
		return nil, types.Errorf(types.InvalidArgument, "schema: %w", err)
	}
	return schemaInfoOf(s, bytes.TrimRight(buf.Bytes(), "\n")), nil
}

func schemaInfoOf(s *types.Schema, wire []byte) *schemaInfo {
	sum := sha256.Sum256(wire)
	info := &schemaInfo{schema: s, wire: wire, fingerprint: binary.BigEndian.Uint64(sum[:]), arrow: make([]arrow.DataType, len(s.Columns))}
	for i, c := range s.Columns {
		info.arrow[i] = c.Type.Arrow()
	}
	return info
}

func parseSchema(wire []byte) (*schemaInfo, error) {
	if len(wire) == 0 || wire[0] != schemaVersion {
		return nil, types.Errorf(types.Corrupt, "schema format is not known (this is %d)", schemaVersion)
	}
	var w wireSchema
	if err := json.Unmarshal(wire[1:], &w); err != nil {
		return nil, types.Errorf(types.Corrupt, "stored schema: %w", err)
	}
	s := &types.Schema{Version: w.Version, NextID: w.NextID, Columns: make([]types.Column, len(w.Columns))}
	for i, c := range w.Columns {
		s.Columns[i] = types.Column(c)
	}
	return schemaInfoOf(s, bytes.Clone(wire)), nil
}

// maxCachedSchemas bounds the cache by pointer; callers share schemas, so it is rarely reached.
const maxCachedSchemas = 4096

// schemas is the cache of schemas by fingerprint and by the caller's pointer.
type schemas struct {
	mu        sync.RWMutex // guards the maps
	byPrint   map[uint64]*schemaInfo
	byPointer map[*types.Schema]*schemaInfo
}

func newSchemas() *schemas {
	return &schemas{byPrint: map[uint64]*schemaInfo{}, byPointer: map[*types.Schema]*schemaInfo{}}
}

// of returns the shared form of a caller's schema.
func (c *schemas) of(s *types.Schema) (*schemaInfo, error) {
	c.mu.RLock()
	info := c.byPointer[s]
	c.mu.RUnlock()
	if info != nil {
		return info, nil
	}
	info, err := newSchemaInfo(s)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.byPointer) >= maxCachedSchemas {
		clear(c.byPointer)
	}
	info = c.addLocked(info)
	c.byPointer[s] = info
	return info, nil
}

func (c *schemas) add(info *schemaInfo) *schemaInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addLocked(info)
}

func (c *schemas) addLocked(info *schemaInfo) *schemaInfo {
	if old := c.byPrint[info.fingerprint]; old != nil {
		return old
	}
	c.byPrint[info.fingerprint] = info
	return info
}

// find returns the schema of a fingerprint, nil where the log has none.
func (c *schemas) find(fingerprint uint64) *schemaInfo {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byPrint[fingerprint]
}
