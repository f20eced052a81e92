package store

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile locks f for this process alone. The system ends the lock when f is
// closed, also by the end of the process. held is true if another has it.
func lockFile(f *os.File) (held bool, err error) {
	// A byte far behind the text, which others may go on reading.
	at := &windows.Overlapped{OffsetHigh: 1}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return true, nil
	}
	return false, err
}

// syncFolder has nothing to do: Windows keeps names with the file.
func syncFolder(string) error { return nil }
