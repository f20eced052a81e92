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

// keepBusy sends one request after the other over one connection until ctx is
// done, and counts them. Anything but status 200 is an error.
func keepBusy(ctx context.Context, s *site) (int, error) {
	address := fmt.Sprintf("127.0.0.1:%d", s.port)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	request := "GET /hello HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: bench\r\nAccept: */*\r\n"
	if s.cookie != "" {
		request += "Cookie: " + s.cookie + "\r\n"
	}
	message := []byte(request + "\r\n")
	answers := bufio.NewReader(conn)
	for n := 0; ; n++ {
		if ctx.Err() != nil {
			return n, nil
		}
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
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
