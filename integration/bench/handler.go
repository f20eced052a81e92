package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/tools/benchmark/parse"
)

// handler runs the Go benchmarks of what every request passes through.
func handler(e effort) ([]finding, error) {
	gateway, err := goBench(e, "./module", "^BenchmarkGateway$")
	if err != nil {
		return nil, err
	}
	// Runs in a row meet the same moment of the machine: each is held
	// against the empty handler that ran in its turn.
	less := func(name string, of func(*parse.Benchmark) float64) []float64 {
		var values []float64
		for i, b := range gateway["BenchmarkGateway/"+name] {
			values = append(values, of(b)-of(gateway["BenchmarkGateway/empty"][i]))
		}
		return values
	}
	ns := func(b *parse.Benchmark) float64 { return b.NsPerOp }
	allocs := func(b *parse.Benchmark) float64 { return float64(b.AllocsPerOp) }
	findings := []finding{
		{what: "handler, signed in, six identity headers", values: less("signed-in", ns), format: "%.0f ns", budget: 2000},
		{what: "handler, signed in, six identity headers", values: less("signed-in", allocs), format: "%.0f allocations", budget: 8},
		{what: "handler, public path", values: less("public", ns), format: "%.0f ns"},
		{what: "handler, public path", values: less("public", allocs), format: "%.0f allocations"},
		{what: "handler, redirect to sign in", values: less("redirect", ns), format: "%.0f ns"},
		{what: "handler, redirect to sign in", values: less("redirect", allocs), format: "%.0f allocations"},
	}

	wayIn, err := goBench(e, "./module/policy", "^BenchmarkWayIn$")
	if err != nil {
		return nil, err
	}
	for _, size := range []int{10, 1000, 100_000} {
		f := finding{what: fmt.Sprintf("way in, %d address ranges, slowest address", size), format: "%.0f ns", budget: 200}
		for name, runs := range wayIn {
			if strings.HasPrefix(name, "BenchmarkWayIn/"+strconv.Itoa(size)+"/") {
				slowest := make([]float64, len(runs))
				for i, b := range runs {
					slowest[i] = b.NsPerOp
				}
				if median(slowest) > median(f.values) {
					f.values = slowest
				}
			}
		}
		findings = append(findings, f)
	}
	return findings, nil
}

// goBench returns the runs of benchmarks by name, without the number of cores.
func goBench(e effort, pkg, pattern string) (map[string][]*parse.Benchmark, error) {
	runs := make(map[string][]*parse.Benchmark)
	for range e.benchCount {
		cmd := exec.Command("go", "test", "-run", "^$", "-bench", pattern, "-benchmem", "-benchtime", "100000x", pkg)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go test %s: %w\n%s%s", pkg, err, out, errs.Bytes())
		}
		set, err := parse.ParseSet(bytes.NewReader(out))
		if err != nil {
			return nil, fmt.Errorf("go test %s: %w", pkg, err)
		}
		for name, found := range set {
			if i := strings.LastIndexByte(name, '-'); i > 0 && onlyDigits(name[i+1:]) {
				name = name[:i]
			}
			runs[name] = append(runs[name], found...)
		}
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("go test %s: no benchmark matches %s (in %s)", pkg, pattern, workingDir())
	}
	return runs, nil
}

func onlyDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func workingDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return err.Error()
	}
	return dir
}
