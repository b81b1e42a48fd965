package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"leat/internal/types"
)

// holder is what the process that uses a data folder writes into its lock file.
type holder struct {
	PID     int       `json:"pid"`
	Listen  string    `json:"listen"`
	Started time.Time `json:"started"`
}

// openData makes the data folder (mode 0700) if needed and takes its lock, which the process holds until it ends.
// It returns the absolute path and whether the folder was empty.
func openData(dir string, listen string) (path string, fresh bool, lock *os.File, err error) {
	path, err = filepath.Abs(dir)
	if err != nil {
		return "", false, nil, types.Errorf(types.InvalidArgument, "data folder %q: %w", dir, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fresh = true
		if err := os.MkdirAll(path, 0o700); err != nil {
			return "", false, nil, dataError(path, err)
		}
	case err != nil:
		return "", false, nil, dataError(path, err)
	case !info.IsDir():
		return "", false, nil, types.Errorf(types.InvalidArgument, "the data folder %s is a file", path).WithHint("name a folder with --data")
	case info.Mode().Perm()&0o077 != 0:
		if err := os.Chmod(path, 0o700); err != nil { //nolint:gosec // a folder needs its search bit
			return "", false, nil, dataError(path, err)
		}
	}
	lock, err = takeLock(path, listen)
	if err != nil {
		return "", false, nil, err
	}
	if _, err := os.Stat(filepath.Join(path, "log")); errors.Is(err, fs.ErrNotExist) {
		fresh = true
	}
	return path, fresh, lock, nil
}

func dataError(path string, err error) error {
	return types.Errorf(types.InvalidArgument, "data folder %s: %w", path, err).WithHint("name a folder that you may write with --data")
}

func takeLock(path, listen string) (*os.File, error) {
	name := filepath.Join(path, "leat.lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, dataError(path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, lockedError(path, name)
	}
	if err := signLock(f, listen); err != nil {
		f.Close()
		return nil, dataError(path, err)
	}
	return f, nil
}

// signLock writes who holds the lock, and where it listens, for those who find it taken.
func signLock(f *os.File, listen string) error {
	b, err := json.Marshal(holder{os.Getpid(), listen, time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	return err
}

func lockedError(path, name string) error {
	e := types.Errorf(types.Locked, "the data folder %s is in use", path).WithHint("stop that server, or give this one another folder with --data")
	var h holder
	if b, err := os.ReadFile(name); err == nil && json.Unmarshal(b, &h) == nil {
		e.Message = fmt.Sprintf("the data folder %s is in use by process %d, which listens at %s since %s", path, h.PID, h.Listen, h.Started.Format(time.RFC3339))
	}
	return e
}
