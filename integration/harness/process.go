package harness

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long the harness waits for what should take a moment.
const patience = 30 * time.Second

// process is a program started by a test. It ends with the test, and on Linux
// with the test program even where that is killed.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has ended

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced with each line
}

// startProcess starts cmd and collects the lines of both its outputs.
func startProcess(t testing.TB, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, done: make(chan struct{}), more: make(chan struct{})}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	dieWithParent(cmd)

	started := make(chan error)
	go func() {
		// The death signal is sent when the starting thread ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the state tells
			close(p.done)
		}
	}()
	err = <-started
	in.Close()
	if err != nil {
		out.Close()
		t.Fatalf("%s: %v", name, err)
	}
	go p.collect(out)
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *process) collect(out io.ReadCloser) {
	defer out.Close()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
}

// snapshot returns the lines so far and a channel that closes with the next.
func (p *process) snapshot() ([]string, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines, p.more
}

// await waits for a line for which match is true, starting with line from. It
// returns false when the program ends or patience runs out without one.
func (p *process) await(from int, match func(line string) bool) bool {
	timeout := time.After(patience)
	for ended := false; ; {
		lines, more := p.snapshot()
		for ; from < len(lines); from++ {
			if match(lines[from]) {
				return true
			}
		}
		if ended {
			return false
		}
		select {
		case <-more:
		case <-p.done:
			// What it wrote last may still be in the pipe.
			select {
			case <-more:
			case <-time.After(100 * time.Millisecond):
				ended = true
			}
		case <-timeout:
			return false
		}
	}
}

// serves waits until the program answers a request for an address.
func (p *process) serves(t testing.TB, address string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for p.running() && time.Now().Before(deadline) {
		if resp, err := http.Get(address); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	lines, _ := p.snapshot()
	t.Fatalf("%s does not answer %s:\n%s", p.name, address, strings.Join(lines, "\n"))
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends the program at once, as kill -9 does.
func (p *process) kill() {
	if p.running() {
		_ = p.cmd.Process.Kill()
	}
	<-p.done
}

// stop asks the program to end and waits for it.
func (p *process) stop(t testing.TB) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.kill()
		t.Errorf("%s did not end within %v of SIGTERM", p.name, patience)
	}
}
