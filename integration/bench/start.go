package main

import (
	"fmt"
	"os"
	"time"
)

const (
	startRounds = 9
	// idle is how long a Caddy is left alone before its memory is looked at.
	idle = 2 * time.Second
)

// start compares how long Caddy takes to answer and what it holds in memory,
// with one gateway and without any.
func start(e effort) ([]finding, error) {
	var took, memory [2][]float64
	dirs := [2]string{}
	for i := range dirs {
		dir, err := os.MkdirTemp("", "bench")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		dirs[i] = dir
	}
	for round := range startRounds + 1 {
		for i, program := range []string{e.plainCaddy, e.caddy} {
			seconds, bytes, err := startOnce(program, dirs[i], i == 1)
			if err != nil {
				return nil, err
			}
			if round > 0 { // the first one makes the files
				took[i] = append(took[i], seconds*1000)
				memory[i] = append(memory[i], bytes/1e6)
			}
		}
	}
	return []finding{
		{what: "start-up, plain", values: took[0], format: "%.0f ms"},
		{what: "  more with the gateway", values: differences(took[1], took[0]), format: "%.0f ms", budget: 150},
		{what: "idle memory, plain", values: memory[0], format: "%.1f MB"},
		{what: "  more with the gateway", values: differences(memory[1], memory[0]), format: "%.1f MB", budget: 20},
	}, nil
}

func startOnce(program, dir string, gateway bool) (seconds, bytes float64, err error) {
	ports, err := freePorts(2)
	if err != nil {
		return 0, 0, err
	}
	admin := fmt.Sprintf("127.0.0.1:%d", ports[0])
	caddyfile := options(admin, dir)
	directive := ""
	if gateway {
		caddyfile += gatewayOptions(dir)
		directive = "auth_gateway"
	}
	caddyfile += fmt.Sprintf("}\nhttp://127.0.0.1:%d {\n\t%s\n\trespond hello\n}\n", ports[1], directive)
	began := time.Now()
	c, err := startCaddy(program, dir, caddyfile, admin, ports[1])
	if err != nil {
		return 0, 0, err
	}
	defer c.stop()
	seconds = time.Since(began).Seconds()
	time.Sleep(idle)
	bytes, err = c.memory()
	return seconds, bytes, err
}

func differences(values, less []float64) []float64 {
	d := make([]float64, len(values))
	for i := range values {
		d[i] = values[i] - less[i]
	}
	return d
}
