package nexmark

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
)

// WriteFiles writes the first n events to person.ndjson, auction.ndjson and bid.ndjson in dir. A file is there once it is complete.
func (g Generator) WriteFiles(dir string, n uint64) error {
	var files [3]*lineFile
	for k := range files {
		f, err := createLines(filepath.Join(dir, Kind(k).String()+".ndjson"))
		if err != nil {
			return err
		}
		defer f.abandon()
		files[k] = f
	}
	for i := range n {
		f := files[KindOf(i)]
		f.line = append(g.Append(f.line[:0], i), '\n')
		if _, err := f.w.Write(f.line); err != nil {
			return err
		}
	}
	return errors.Join(files[0].finish(), files[1].finish(), files[2].finish())
}

// WriteFile writes the first n pairs to pairs.ndjson in dir.
func (p Pairs) WriteFile(dir string, n uint64) error {
	f, err := createLines(filepath.Join(dir, "pairs.ndjson"))
	if err != nil {
		return err
	}
	defer f.abandon()
	for i := range n {
		f.line = append(p.Append(f.line[:0], i), '\n')
		if _, err := f.w.Write(f.line); err != nil {
			return err
		}
	}
	return f.finish()
}

// lineFile is a file under another name until it is complete.
type lineFile struct {
	f    *os.File
	w    *bufio.Writer
	path string
	line []byte
}

func createLines(path string) (*lineFile, error) {
	f, err := os.Create(path + ".part")
	if err != nil {
		return nil, err
	}
	return &lineFile{f: f, w: bufio.NewWriterSize(f, 1<<20), path: path}, nil
}

func (l *lineFile) finish() error {
	if err := errors.Join(l.w.Flush(), l.f.Close()); err != nil {
		return err
	}
	return os.Rename(l.path+".part", l.path)
}

// abandon removes a file that was not finished.
func (l *lineFile) abandon() {
	l.f.Close()
	_ = os.Remove(l.path + ".part")
}
