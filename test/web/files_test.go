package web

import (
	"io/fs"
	"os"
	"strings"
)

// sources are the files of a folder without what npm installed there.
type sources struct{ fs.FS }

func without(dir string) fs.FS { return sources{os.DirFS(dir)} }

// ReadDir is part of fs.ReadDirFS.
func (s sources) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(s.FS, name)
	var out []fs.DirEntry
	for _, e := range all {
		if !strings.HasPrefix(e.Name(), "node_modules") {
			out = append(out, e)
		}
	}
	return out, err
}
