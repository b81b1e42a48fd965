package app

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"leat/internal/query"
	"leat/internal/types"
)

// cursorKey is the file of the secret that cursors are signed with. A data folder without it gets a new one, and cursors of before end.
const (
	cursorKey      = "cursor.key"
	cursorKeyBytes = 32
)

// openSigner reads the folder's secret, or makes it. A cursor is only a place to go on from, so the file is not worth an fsync.
func openSigner(dir string) (query.Signer, error) {
	path := filepath.Join(dir, cursorKey)
	key, err := os.ReadFile(path)
	if err == nil && len(key) == cursorKeyBytes {
		return query.NewSigner(key), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return query.Signer{}, types.Errorf(types.Unavailable, "read the key of cursors: %w", err)
	}
	key = make([]byte, cursorKeyBytes)
	_, _ = rand.Read(key) // never fails, as crypto/rand says
	if err := os.WriteFile(path, key, 0o600); err != nil {
		return query.Signer{}, types.Errorf(types.Unavailable, "keep the key of cursors: %w", err)
	}
	return query.NewSigner(key), nil
}
