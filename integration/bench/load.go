package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// connections is how many of them load keeps busy.
const connections = 16

// site is one site of the Caddy under load.
type site struct {
	name  string
	port  int
	rates []float64 // requests per second, by round
	costs []float64 // processor time of Caddy per request in microseconds, by round
}

// message is the same request to every site: a browser's, with its cookie.
func (s *site) message(cookie string) []byte {
	return fmt.Appendf(nil, "GET /hello HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"+
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"+
		"Accept-Language: en-GB,en;q=0.5\r\n"+
		"Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n"+
		"Cookie: %s\r\n\r\n", s.port, cookie)
}

// keepBusy sends one request after the other over one connection until ctx is
// done, and counts them. Anything but status 200 is an error.
func (s *site) keepBusy(ctx context.Context, cookie string) (int, error) {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	message := s.message(cookie)
	answers := bufio.NewReader(conn)
	for n := 0; ; n++ {
		if ctx.Err() != nil {
			return n, nil
		}
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return n, err
		}
		if _, err := conn.Write(message); err != nil {
			return n, err
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return n, err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return n, err
		}
		if resp.StatusCode != http.StatusOK {
			return n, errors.New(s.name + ": " + resp.Status)
		}
	}
}

// load keeps connections busy with a site until ctx is done, and returns the
// requests and how long it took.
func (s *site) load(ctx context.Context, cookie string) (requests int, took time.Duration, err error) {
	began := time.Now()
	counts, errs := make(chan int, connections), make(chan error, connections)
	for range connections {
		go func() {
			n, err := s.keepBusy(ctx, cookie)
			counts <- n
			errs <- err
		}()
	}
	for range connections {
		requests += <-counts
		err = errors.Join(err, <-errs)
	}
	return requests, time.Since(began), err
}

// loadFor is load for a time.
func (s *site) loadFor(length time.Duration, cookie string) (requests int, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	return s.load(ctx, cookie)
}

// hello is the app behind Caddy.
func hello() (address string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello\n")
	})}
	go server.Serve(ln)
	return ln.Addr().String(), func() { _ = server.Close() }, nil
}
