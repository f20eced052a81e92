// Command bench measures what the gateway costs, next to the same Caddy without
// it and to the bare steps it is made of, and prints one table. Whatever is
// compared takes turns within one run, so that what else the machine does meets
// both; what counts is the ratio.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
)

// effort says how long everything is measured.
type effort struct {
	caddy, plainCaddy string // programs
	rounds            int    // turns of each
	benchCount        int    // runs of each Go benchmark
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	var e effort
	flag.StringVar(&e.caddy, "caddy", "./caddy", "the Caddy with the gateway")
	flag.StringVar(&e.plainCaddy, "plain", "", "a Caddy without it, for memory and start-up; default: the same program without the directive")
	flag.IntVar(&e.rounds, "rounds", 40, "how often the sites take turns")
	flag.IntVar(&e.benchCount, "count", 6, "how often each Go benchmark runs")
	only := flag.String("only", "", "one part: handler, throughput, sign-ins, second-factor, flood or start")
	flag.Parse()
	if err := run(e, *only); err != nil {
		log.Fatal(err)
	}
}

func run(e effort, only string) (err error) {
	if e.caddy, err = filepath.Abs(e.caddy); err != nil {
		return err
	}
	if e.plainCaddy == "" {
		e.plainCaddy = e.caddy
	}
	if e.plainCaddy, err = filepath.Abs(e.plainCaddy); err != nil {
		return err
	}
	parts := []struct {
		name    string
		measure func(effort) ([]finding, error)
	}{
		{"handler", handler},
		{"throughput", throughput},
		{"sign-ins", signIns},
		{"second-factor", secondFactor},
		{"flood", flood},
		{"start", start},
	}
	var findings []finding
	known := only == ""
	for _, part := range parts {
		if only != "" && only != part.name {
			continue
		}
		known = true
		log.Printf("measuring: %s", part.name)
		found, err := part.measure(e)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		findings = append(findings, found...)
	}
	if !known {
		return errors.New("unknown part: -help lists them")
	}
	fmt.Printf("\n%s, %d cores. Caddy, the app behind it and whoever asks share one machine.\n\n", runtime.Version(), runtime.NumCPU())
	return report(os.Stdout, findings)
}
