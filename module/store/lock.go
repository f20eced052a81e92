package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// ErrInUse: another process (or another part of this one) has the store open.
var ErrInUse = errors.New("is in use by another process")

// lock makes this process the only one that uses path, until the returned
// file is closed or the process ends, however it ends. The lock is a file of
// its own beside it, which stays: removing it would let two processes lock
// two files of one name.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	held, err := lockFile(f)
	if err == nil && held {
		err = ErrInUse
		if id, ok := holder(f); ok {
			err = fmt.Errorf("%w (process %d)", ErrInUse, id)
		}
		err = fmt.Errorf("%w: stop that one, or reach it through its admin endpoint", err)
	}
	if err == nil {
		// Only for the message above: whoever reads it may well find nothing.
		if err = f.Truncate(0); err == nil {
			_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// holder is the process that wrote its number into the lock.
func holder(f *os.File) (id int, ok bool) {
	b, err := io.ReadAll(io.LimitReader(f, 20))
	if err != nil {
		return 0, false
	}
	id, err = strconv.Atoi(strings.TrimSpace(string(b)))
	return id, err == nil
}
