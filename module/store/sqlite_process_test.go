//go:build unix

package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// role names what this test binary does when a test starts it again.
const role = "STORE_TEST_ROLE"

func TestMain(m *testing.M) {
	children := map[string]func(path string) error{
		"hold": hold, "write": writeOn, "fill": fillDisk, "open as nobody": openAsNobody,
	}
	child := children[os.Getenv(role)]
	if child == nil {
		goleak.VerifyTestMain(m)
		return
	}
	if err := child(os.Args[1]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// process is this test binary in another role.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func start(t *testing.T, what, path string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], path)
	cmd.Env = append(os.Environ(), role+"="+what)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		_, err = cmd.StdinPipe() // closed when this process ends
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, lines: bufio.NewScanner(out)}
	t.Cleanup(p.kill)
	return p
}

// line is the next line it prints, "" at the end.
func (p *process) line() string {
	p.lines.Scan()
	return p.lines.Text()
}

// kill is kill -9.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// hold opens the store and keeps it until standard input ends.
func hold(path string) error {
	s, err := store.OpenSQLite(background, path)
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Println("open")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func TestSQLiteSecondProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	first := start(t, "hold", path)
	if got := first.line(); got != "open" {
		t.Fatal(got)
	}
	_, err := store.OpenSQLite(t.Context(), path)
	if !errors.Is(err, store.ErrInUse) {
		t.Fatalf("got %v, want %v", err, store.ErrInUse)
	}
	for _, want := range []string{path, strconv.Itoa(first.cmd.Process.Pid), "admin endpoint"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if second := start(t, "hold", path); !strings.Contains(second.line(), store.ErrInUse.Error()) {
		t.Error("two processes have it open")
	}
	first.kill()
	open(t, path).Close() // at once, whatever ended the first
}

// writeOn writes without end and prints the number of each write when Update
// has returned. Every write ends the session of the one before.
func writeOn(path string) error {
	s, err := store.OpenSQLite(background, path)
	if err != nil {
		return err
	}
	var a store.Account
	var first int
	err = s.View(background, func(tx store.Tx) error {
		f, err := tx.Failures("writes")
		first = f.Count + 1
		if err == nil && first > 1 {
			a, err = tx.AccountByEmail("writer@example.test")
		}
		return err
	})
	if err == nil && first == 1 {
		a = anyone()
		a.Attributes.Email = "writer@example.test"
		err = s.Update(background, func(tx store.Tx) error { return tx.CreateAccount(a) })
	}
	for n := first; err == nil; n++ {
		err = s.Update(background, func(tx store.Tx) error {
			_, err := tx.CountFailure("writes", noon, 0)
			_, err2 := tx.EndSession(fmt.Append(nil, "session ", n-1))
			_, err3 := tx.UseState(fmt.Append(nil, "state ", n), noon)
			return errors.Join(err, err2, err3, tx.CreateSession(store.Session{
				ID: fmt.Append(nil, "session ", n), AccountID: a.ID, SeenAt: noon, ExpiresAt: noon,
			}))
		})
		if err == nil {
			fmt.Println(n)
		}
	}
	return err
}

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func TestSQLiteKillLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	last := 0
	for range 6 {
		p := start(t, "write", path)
		for range 50 + rand.IntN(200) {
			n, err := strconv.Atoi(p.line())
			if err != nil {
				t.Fatal(err)
			}
			last = n
		}
		p.kill()
		for p.lines.Scan() { // printed before it was killed
			if n, err := strconv.Atoi(p.lines.Text()); err == nil {
				last = n
			}
		}

		s := open(t, path)
		err := s.Update(t.Context(), func(tx store.Tx) error {
			f, err := tx.Failures("writes")
			if err != nil {
				return err
			}
			// The one that was under way is kept wholly or not at all.
			if f.Count != last && f.Count != last+1 {
				return fmt.Errorf("%d writes acknowledged, %d kept", last, f.Count)
			}
			for n := 1; n <= f.Count; n++ {
				if first, err := tx.UseState(fmt.Append(nil, "state ", n), noon); err != nil || first {
					return fmt.Errorf("state %d came back: %w", n, err)
				}
				_, err := tx.Session(fmt.Append(nil, "session ", n))
				if ended := errors.Is(err, store.ErrNotFound); ended != (n < f.Count) {
					return fmt.Errorf("session %d of %d: %v", n, f.Count, err)
				}
			}
			last = f.Count
			return nil
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// fillDisk writes until no file may grow any more.
func fillDisk(path string) error {
	s, err := store.OpenSQLite(background, path)
	if err != nil {
		return err
	}
	defer s.Close()
	signal.Ignore(syscall.SIGXFSZ) // so that a write fails as on a full disk
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	full := limit
	full.Cur = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		return err
	}
	write := func(n int) error {
		return s.Update(background, func(tx store.Tx) error {
			_, err := tx.CountFailure("writes", noon, 0)
			_, err2 := tx.UseState(fmt.Append(make([]byte, 50_000), n), noon)
			return errors.Join(err, err2)
		})
	}
	count := func() (n int, err error) {
		err = s.View(background, func(tx store.Tx) error {
			f, err := tx.Failures("writes")
			n = f.Count
			return err
		})
		return n, err
	}
	kept := 0
	for ; kept < 1000 && err == nil; kept++ {
		err = write(kept)
	}
	kept--
	if err == nil || kept == 0 {
		return fmt.Errorf("the disk is not full after %d writes: %v", kept, err)
	}
	if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "disk is full") {
		return fmt.Errorf("the fault does not name the store or what to do: %w", err)
	}
	again := write(kept)
	if n, err := count(); err != nil || again == nil || n != kept {
		return fmt.Errorf("%d of %d writes there on a full disk; writing: %v; reading: %w", n, kept, again, err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if err := write(kept); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if n, err := count(); err != nil || n != kept+1 {
		return fmt.Errorf("%d of %d writes there with room again: %w", n, kept+1, err)
	}
	fmt.Println("ok")
	return nil
}

func TestSQLiteDiskFull(t *testing.T) {
	if got := start(t, "fill", filepath.Join(t.TempDir(), "store.db")).line(); got != "ok" {
		t.Fatal(got)
	}
}

// openAsNobody opens the store as a user who may do little.
func openAsNobody(path string) error {
	if os.Getuid() == 0 {
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	s, err := store.OpenSQLite(background, path)
	if err == nil {
		return errors.Join(errors.New("it was opened"), s.Close())
	}
	fmt.Println(err)
	return nil
}

func TestSQLiteMayNotWrite(t *testing.T) {
	shared := func(t *testing.T, mode os.FileMode) string {
		// Not t.TempDir: nobody could not enter it.
		folder, err := os.MkdirTemp("", "store")
		if err == nil {
			err = os.Chmod(folder, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(folder) })
		return folder
	}
	for name, prepare := range map[string]func(t *testing.T) string{
		"the folder": func(t *testing.T) string { return filepath.Join(shared(t, 0o555), "store.db") },
		"the folder above": func(t *testing.T) string {
			return filepath.Join(shared(t, 0o555), "new", "store.db")
		},
		"the file": func(t *testing.T) string {
			path := filepath.Join(shared(t, 0o777), "store.db")
			open(t, path).Close()
			err := errors.Join(os.Chmod(path, 0o444), os.Remove(path+".lock"))
			if err != nil {
				t.Fatal(err)
			}
			return path
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := prepare(t)
			if got := start(t, "open as nobody", path).line(); !strings.Contains(got, "permission denied") || !strings.Contains(got, path) {
				t.Fatal(got)
			}
		})
	}
	t.Run("a file in the place of the folder", func(t *testing.T) {
		path := filepath.Join(filled(t), "store.db")
		if _, err := store.OpenSQLite(t.Context(), path); !errors.Is(err, syscall.ENOTDIR) {
			t.Fatal(err)
		}
	})
}
